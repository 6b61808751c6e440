import type { Command } from "commander";
import type { Terminal } from "../../terminal.ts";
import { exampleOf, outputOption } from "../flags.ts";
import type { GetOptions } from "./get.ts";
import type { ListOptions } from "./list.ts";
import type { SetOptions } from "./set.ts";

export function addVariablesCommands(program: Command, terminal: Terminal): void {
  const variables = program.command("variables").description("variables: named values for tasks");
  variables
    .command("set")
    .description("create or overwrite a variable; it is encrypted at rest")
    .argument("<key>")
    .argument("[value]")
    .option("--value-file <path>", "a file with the value, - for stdin; better for secrets: others can see arguments")
    .option("--description <text>", "description of the variable")
    .option("-j, --json", "reject a value that is not JSON", false)
    .option("--serialize-json", "Airflow's name of --json; the value is stored as it is", false)
    .addHelpText("after", exampleOf("variables set region eu-central-1 --description 'where we run'"))
    .action(async (key: string, value: string | undefined, options: SetOptions) =>
      (await import("./set.ts")).setOne(terminal, key, value, options),
    );
  variables
    .command("get")
    .description("print the value of a variable, or with -o the whole variable")
    .argument("<key>")
    .option("-d, --default <value>", "value to print if the variable does not exist")
    .option("-j, --json", "print the value as indented JSON", false)
    .addOption(outputOption().default(undefined))
    .addHelpText("after", exampleOf("variables get region --default eu-central-1"))
    .action(async (key: string, options: GetOptions) => (await import("./get.ts")).getOne(terminal, key, options));
  variables
    .command("list")
    .description("list the variables")
    .option("--show-values", "include the values, which can contain secrets", false)
    .addOption(outputOption())
    .addHelpText("after", exampleOf("variables list -o json"))
    .action(async (options: ListOptions) => (await import("./list.ts")).listAll(terminal, options));
  variables
    .command("delete")
    .description("delete a variable")
    .argument("<key>")
    .addHelpText("after", exampleOf("variables delete region"))
    .action(async (key: string) => (await import("./delete.ts")).deleteOne(terminal, key));
}
