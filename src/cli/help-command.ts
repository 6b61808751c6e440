import type { Command } from "commander";
import { exampleOf } from "./commands/flags.ts";

/**
 * `help` for the program and for each group, in the place of commander's own, which answers a name that does not exist with the help of
 * what is above it, and for a group ignores all that follows.
 */
export function addHelpCommands(parent: Command, path: readonly string[] = []): void {
  const groups = parent.commands.filter((command) => command.commands.length > 0);
  const first = (groups[0] ?? parent).commands[0]?.name() ?? "";
  const example = ["help", ...path, ...(groups[0] ? [groups[0].name()] : []), first];
  parent.helpCommand(false);
  parent
    .command("help")
    .description("display help for command")
    .argument("[command...]")
    .addHelpText("after", exampleOf((path.length === 0 ? example : [...path, "help", first]).join(" ")))
    .action((names: string[]) => showHelpOf(parent, names));
  for (const group of groups) addHelpCommands(group, [...path, group.name()]);
}

async function showHelpOf(parent: Command, names: readonly string[]): Promise<void> {
  const [name, ...rest] = names;
  if (name === undefined) parent.help();
  const found = parent.commands.find((command) => command.name() === name);
  if (found) return showHelpOf(found, rest);
  // Said by whom says it of a command that is called: with the nearest name.
  if (parent.commands.length > 0) await parent.parseAsync([name], { from: "user" });
  else parent.error(`error: '${parent.name()}' has no commands of its own, so none is named '${name}'.`);
}
