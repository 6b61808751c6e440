import { spawn } from "node:child_process";
import { ownPipes } from "../../platform/index.ts";
import { BaseOperator, SkipError, type TaskContext } from "../../sdk/index.ts";
import { killGroupOnAbort } from "./kill-group.ts";
import { readLines } from "./line-reader.ts";

export type BashOptions = {
  /** Run by `bash -c`. Templated. */
  bashCommand: string;
  /** The command's environment. Default: the runner's. Templated. */
  env?: Record<string, string>;
  /** Add `env` to the runner's environment instead of replacing it. Default false. */
  appendEnv?: boolean;
  /** Working folder. Default: the runner's. Templated. */
  cwd?: string;
  /** Exit codes with which the task is skipped; null = none. Default 99. */
  skipOnExitCode?: number | readonly number[] | null;
};

const KEPT_LINES = 20;

/**
 * Runs a command in bash. Its output goes to the log, and its last line becomes the XCom. Exit code 0 = success, 99 = skipped,
 * other codes fail the task. If the task is stopped, the command and all processes that it started get SIGTERM, and after
 * three seconds SIGKILL.
 *
 * Templated values (`params`, `conf`) become part of the command. To keep them data, pass them in `env` and write `"$NAME"`.
 */
export class BashOperator extends BaseOperator<BashOptions, string, "bashCommand" | "env" | "cwd"> {
  static override readonly templateFields: readonly string[] = ["bashCommand", "env", "cwd"];
  static override readonly optionNames: readonly string[] = Object.keys({
    appendEnv: true,
    skipOnExitCode: true,
  } satisfies Record<Exclude<keyof BashOptions, "bashCommand" | "env" | "cwd">, true>);

  async execute(ctx: TaskContext): Promise<string> {
    const { bashCommand, cwd } = this.options;
    if (typeof bashCommand !== "string") throw new TypeError("bashCommand must be a string");
    if (ctx.signal.aborted) throw ctx.signal.reason;
    // A process group of its own, so that the command's child processes can be ended with it.
    const child = spawn("bash", ["-c", bashCommand], {
      cwd,
      env: this.environment(),
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
    });
    ownPipes(child);
    const stopWatching = killGroupOnAbort(child, ctx.signal);
    const lastLines: string[] = [];
    let lastLine = "";
    const keep = (line: string) => {
      lastLines.push(line);
      if (lastLines.length > KEPT_LINES) lastLines.shift();
    };
    const ended = new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
      child.once("error", (cause) =>
        reject(new Error(`bash could not be started${cwd ? ` in ${cwd}` : ""}: ${cause.message}`, { cause })),
      );
      child.once("close", (code, signal) => resolve({ code, signal }));
    });
    const stdout = readLines(child.stdout, (line) => {
      ctx.logger.info(line, { stream: "stdout" });
      lastLine = line;
      keep(line);
    });
    const stderr = readLines(child.stderr, (line) => {
      ctx.logger.info(line, { stream: "stderr" });
      keep(line);
    });
    try {
      const [end] = await Promise.all([ended, stdout, stderr]);
      if (ctx.signal.aborted) throw ctx.signal.reason;
      this.checkEnd(end, lastLines);
      return lastLine;
    } finally {
      stopWatching();
    }
  }

  private environment(): NodeJS.ProcessEnv {
    const { env, appendEnv = false } = this.options;
    // The platform's settings and secrets are already removed from the runner's environment.
    if (env === undefined) return process.env;
    return appendEnv ? { ...process.env, ...env } : { ...env };
  }

  private checkEnd(end: { code: number | null; signal: string | null }, lastLines: readonly string[]): void {
    const { skipOnExitCode = 99 } = this.options;
    if (end.code === 0) return;
    const skipCodes = skipOnExitCode === null ? [] : [skipOnExitCode].flat();
    if (end.code !== null && skipCodes.includes(end.code))
      throw new SkipError(`bash command exited with ${end.code}, which skips the task`);
    const how = end.code === null ? `was ended by ${end.signal}` : `exited with ${end.code}`;
    throw new Error(
      lastLines.length === 0 ? `bash command ${how}` : `bash command ${how}; its last lines:\n${lastLines.join("\n")}`,
    );
  }
}
