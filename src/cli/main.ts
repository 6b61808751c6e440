#!/usr/bin/env node
import { CommanderError } from "commander";
import { hintForFlag, refuseAirflowCommand } from "./airflow-commands.ts";
import { ExitCode, exitCodeOf } from "./exit-codes.ts";
import { createProgram } from "./program.ts";

let unwritten: NodeJS.ErrnoException | null = null;
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // A reader that stops early (`baram dags list | head -1`) closes the pipe: this is no failure, and the command goes on.
  if (error.code !== "EPIPE") unwritten ??= error;
});
// There is no other place to report this.
process.stderr.on("error", () => {});

const { program, terminal } = createProgram();

async function run(): Promise<number> {
  try {
    const refusal = refuseAirflowCommand(process.argv.slice(2));
    if (refusal !== null) throw (await import("./errors.ts")).usageError(refusal);
    await program.parseAsync();
    return Number(process.exitCode ?? ExitCode.Ok);
  } catch (thrown) {
    // Commander has printed its own message; a requested help text is no error.
    if (thrown instanceof CommanderError) {
      const hint = thrown.code === "commander.unknownOption" ? hintForFlag(process.argv.slice(2), thrown.message) : null;
      if (hint !== null) terminal.note(hint);
      return thrown.exitCode === 0 ? ExitCode.Ok : ExitCode.Usage;
    }
    // Imported only now: the rest of the platform would slow down every quick command by some 50 ms.
    const { BaramError, toError } = await import("../platform/index.ts");
    const error = toError(thrown);
    terminal.note(`error: ${error instanceof BaramError ? error.message : unexpected(error)}`);
    if (terminal.isVerbose()) terminal.note(String(error.stack) + causeOf(error));
    return exitCodeOf(error instanceof BaramError ? error.code : undefined);
  }
}

function unexpected(error: Error): string {
  return `${error.message || error.name} (unexpected; --verbose shows where)`;
}

function causeOf(error: Error): string {
  return error.cause instanceof Error ? `\nCaused by: ${error.cause.stack}` : "";
}

const code = await run();
if (process.stdout.writableLength > 0) await new Promise((resolve) => process.stdout.write("", resolve));
// An error of a write is emitted one turn after its end.
setImmediate(() => {
  if (unwritten !== null) terminal.note(`error: The output could not be written: ${unwritten.message}. Its changes were made.`);
  // Exits explicitly: code of a DAG file, run by `dags test`, may have left a timer or a socket open.
  process.exit(unwritten !== null && code === ExitCode.Ok ? ExitCode.Failure : code);
});
