#!/usr/bin/env node
import { CommanderError } from "commander";
import { refuseAirflowCommand } from "./airflow-commands.ts";
import { ExitCode, exitCodeOf } from "./exit-codes.ts";
import { createProgram } from "./program.ts";

let unwritten: NodeJS.ErrnoException | null = null;
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // A reader that has seen enough (`baram dags list | head -1`) closes the pipe: no reason to fail, the work goes on.
  if (error.code !== "EPIPE") unwritten ??= error;
});
// Nobody is left to be told.
process.stderr.on("error", () => {});

const { program, terminal } = createProgram();

async function run(): Promise<number> {
  try {
    const refusal = refuseAirflowCommand(process.argv.slice(2));
    if (refusal !== null) throw (await import("./errors.ts")).usageError(refusal);
    await program.parseAsync();
    return Number(process.exitCode ?? ExitCode.Ok);
  } catch (thrown) {
    // Commander has written its own message; a help text that was asked for is no error.
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? ExitCode.Ok : ExitCode.Usage;
    // Only now: the rest of the platform would cost every quick command some 50 ms.
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
// A write's fault is told a turn after its end.
setImmediate(() => {
  if (unwritten !== null) terminal.note(`error: The output could not be written: ${unwritten.message}. Its changes were made.`);
  // Not left to the event loop: code of a DAG file, run by `dags test`, may have left a timer or a socket behind.
  process.exit(unwritten !== null && code === ExitCode.Ok ? ExitCode.Failure : code);
});
