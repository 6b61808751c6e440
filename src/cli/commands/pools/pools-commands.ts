import type { Command } from "commander";
import { INT4_MAX } from "../../../contracts/bounds/index.ts";
import type { Terminal } from "../../terminal.ts";
import { exampleOf, type OutputOptions, outputOption, wholeNumber } from "../flags.ts";

export function addPoolsCommands(program: Command, terminal: Terminal): void {
  const pools = program.command("pools").description("pools, which limit the number of parallel tasks");
  pools
    .command("set")
    .description("create or change a pool")
    .argument("<name>")
    .argument("<slots>", "number of slots; -1 = no limit", wholeNumber(-1, INT4_MAX))
    .argument("[description]")
    .option("--include-deferred", "also count deferred tasks", false)
    .addHelpText("after", exampleOf("pools set warehouse 4 'connections that the warehouse allows'"))
    .action(async (name: string, slots: number, description: string | undefined, options: { includeDeferred: boolean }) =>
      (await import("./set.ts")).setOne(terminal, { name, slots, description: description ?? null, ...options }),
    );
  pools
    .command("get")
    .description("show a pool and its usage")
    .argument("<name>")
    .addOption(outputOption())
    .addHelpText("after", exampleOf("pools get default_pool -o json"))
    .action(async (name: string, options: OutputOptions) => (await import("./get.ts")).getOne(terminal, name, options));
  pools
    .command("list")
    .description("list the pools and their usage")
    .addOption(outputOption())
    .addHelpText("after", exampleOf("pools list"))
    .action(async (options: OutputOptions) => (await import("./list.ts")).listAll(terminal, options));
  pools
    .command("delete")
    .description("delete a pool that no task uses")
    .argument("<name>")
    .addHelpText("after", exampleOf("pools delete warehouse"))
    .action(async (name: string) => (await import("./delete.ts")).deleteOne(terminal, name));
}
