import type { Command } from "commander";
import type { Terminal } from "../../terminal.ts";
import { allowRootOption, exampleOf, type OutputOptions, outputOption, wholeNumber } from "../flags.ts";
import type { ClearOptions } from "./clear.ts";
import type { ListOptions } from "./list.ts";
import type { RenderOptions } from "./render.ts";

export function addTasksCommands(program: Command, terminal: Terminal): void {
  const tasks = program.command("tasks").description("tasks and task instances");
  tasks
    .command("list")
    .description("list a DAG's tasks")
    .argument("<dag-id>")
    .option("--tree", "show the tasks as a tree", false)
    .addOption(outputOption())
    .addHelpText("after", exampleOf("tasks list hello --tree"))
    .action(async (dagId: string, options: ListOptions) => (await import("./list.ts")).listTasks(terminal, dagId, options));
  tasks
    .command("states-for-dag-run")
    .description("list the states of the task instances of a run")
    .argument("<dag-id>")
    .argument("<run-id-or-logical-date>")
    .addOption(outputOption())
    .addHelpText("after", exampleOf("tasks states-for-dag-run hello 2026-01-01T00:00:00Z"))
    .action(async (dagId: string, run: string, options: OutputOptions) =>
      (await import("./states-for-dag-run.ts")).listStates(terminal, dagId, run, options),
    );
  tasks
    .command("clear")
    .description("clear task instances so that they run again")
    .argument("<dag-id>")
    .option("-t, --task-regex <ids-or-regex>", "comma-separated task ids, or a regular expression that is searched in the id")
    .option("-s, --start-date <iso>", "only runs with this logical date or later")
    .option("-e, --end-date <iso>", "only runs with this logical date or earlier")
    .option("--run-id <id>", "only this run")
    .option("-f, --only-failed", "only failed instances", false)
    .option("-r, --only-running", "only running instances", false)
    .option("-u, --upstream", "also all upstream tasks", false)
    .option("-d, --downstream", "also all downstream tasks", false)
    .option("--past", "with --run-id: also runs with an earlier logical date", false)
    .option("--future", "with --run-id: also runs with a later logical date", false)
    .option("--run-on-latest-version", "use the DAG's current version", false)
    .option("--dry-run", "only list the task instances that would be cleared", false)
    .option("-y, --yes", "do not ask for confirmation", false)
    .addOption(outputOption())
    .addHelpText("after", exampleOf("tasks clear hello -t load --downstream --only-failed --yes"))
    .action(async (dagId: string, options: ClearOptions) => (await import("./clear.ts")).clearTasks(terminal, dagId, options));
  tasks
    .command("render")
    .description("show the rendered template fields of a task; if it has not run yet, render them now")
    .argument("<dag-id>")
    .argument("<task-id>")
    .argument("<run-id-or-logical-date>")
    .option("--map-index <number>", "map index of a mapped task instance", wholeNumber(0, 2_147_483_647), -1)
    .addOption(allowRootOption())
    .addOption(outputOption())
    .addHelpText("after", exampleOf("tasks render hello greet 2026-01-01T00:00:00Z"))
    .action(async (dagId: string, taskId: string, run: string, options: RenderOptions) =>
      (await import("./render.ts")).renderTask(terminal, { dagId, taskId, run }, options),
    );
}
