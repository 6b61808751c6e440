#!/usr/bin/env node
import { CommanderError } from "commander";
import { ExitCode, exitCodeOf } from "./exit-codes.ts";
import { createProgram } from "./program.ts";

// A reader that has seen enough (`baram dags list | head -1`) closes the pipe: no reason to fail, the work goes on.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

const { program, terminal } = createProgram();

async function run(): Promise<number> {
  try {
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
// Not left to the event loop: code of a DAG file, run by `dags test`, may have left a timer or a socket behind.
process.stdout.write("", () => process.exit(code));
