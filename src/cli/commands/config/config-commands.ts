import type { Command } from "commander";
import type { Terminal } from "../../terminal.ts";
import { exampleOf, outputOption } from "../flags.ts";
import type { ListOptions } from "./list.ts";

export function addConfigCommands(program: Command, terminal: Terminal): void {
  const config = program.command("config").description("current options");
  config
    .command("list")
    .description("list all options with their values and sources; secrets are hidden")
    .option("--section <name>", "only this section")
    .option("--defaults", "show the defaults instead of the current values", false)
    .addOption(outputOption())
    .addHelpText("after", exampleOf("config list --section core"))
    .action(async (options: ListOptions) => (await import("./list.ts")).listOptions(terminal, options));
  config
    .command("get-value")
    .description("print the value of one option; empty if it is not set")
    .argument("<section>")
    .argument("<option>")
    .addHelpText("after", exampleOf("config get-value core parallelism"))
    .action(async (section: string, option: string) => (await import("./get-value.ts")).getOption(terminal, section, option));
}
