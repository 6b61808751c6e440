import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { define, failureOf, type RunOne, returnValue, runOneTask } from "../../../tests/support/run-one-task.ts";
import type { OperatorOptions } from "../../sdk/index.ts";
import { BashOperator, type BashOptions } from "./bash-operator.ts";
import { MAX_LINE_BYTES } from "./line-reader.ts";

type Options = Omit<OperatorOptions<BashOptions, "bashCommand" | "env" | "cwd">, "taskId">;
const bash = (options: Options, run: RunOne = {}) =>
  runOneTask(
    define(() => void new BashOperator({ taskId: "t", ...options })),
    run,
  );
const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe("BashOperator", () => {
  it("logs both streams line by line, and returns the last line of the output", async () => {
    const { outcome, logs } = await bash({ bashCommand: "echo {{ ds }}; echo warn >&2; printf 'last {{ params.name }}'" });
    expect(returnValue(outcome)).toBe("last Ada");
    expect(logs).toContainEqual({ level: "info", message: "2024-01-31", facts: { stream: "stdout" } });
    expect(logs).toContainEqual({ level: "info", message: "warn", facts: { stream: "stderr" } });
  });

  it("fails with the exit code and the last lines, skips on 99 or the codes given", async () => {
    const { outcome } = await bash({ bashCommand: "echo before; echo reason >&2; exit 3" });
    expect(failureOf(outcome)).toMatchObject({ retryable: true });
    expect(failureOf(outcome).error.message).toMatch(/exited with 3[\s\S]*reason/);
    expect((await bash({ bashCommand: "exit 99" })).outcome.state).toBe("skipped");
    expect((await bash({ bashCommand: "exit 4", skipOnExitCode: [4, 5] })).outcome.state).toBe("skipped");
    expect((await bash({ bashCommand: "exit 99", skipOnExitCode: null })).outcome.state).toBe("failed");
    expect(failureOf((await bash({ bashCommand: "kill -9 $$" })).outcome).error.message).toContain("ended by SIGKILL");
  });

  it("passes values as environment, alone or added to the runner's, which keeps them data", async () => {
    const env = { NAME: "{{ params.name }}; echo injected" };
    expect(returnValue((await bash({ bashCommand: 'echo "$NAME"', env })).outcome)).toBe("Ada; echo injected");
    expect(returnValue((await bash({ bashCommand: 'echo "home=$HOME"', env })).outcome)).toBe("home=");
    expect(returnValue((await bash({ bashCommand: 'echo "home=$HOME"', env, appendEnv: true })).outcome)).toBe(
      `home=${process.env.HOME ?? ""}`,
    );
  });

  it("runs in cwd, and says so when there is no such folder", async () => {
    const folder = mkdtempSync(join(tmpdir(), "baram bash "));
    writeFileSync(join(folder, "a file"), "");
    expect(returnValue((await bash({ bashCommand: "ls", cwd: folder })).outcome)).toBe("a file");
    expect(failureOf((await bash({ bashCommand: "ls", cwd: "/no/such" })).outcome).error.message).toContain("/no/such");
  });

  it("ends the command and its children when its time is up, even if they ignore SIGTERM in the background", async () => {
    const pidFile = join(mkdtempSync(join(tmpdir(), "baram-bash-")), "pid");
    const command = `(trap '' TERM; sleep 60) & echo $! > ${pidFile}; wait`;
    const { outcome } = await bash(
      { bashCommand: command },
      { context: { executionTimeoutSec: 0.3 }, input: { graceMs: 5_000 } },
    );
    expect(failureOf(outcome).error.name).toBe("TaskTimeoutError");
    const pid = Number(readFileSync(pidFile, "utf8"));
    await expect.poll(() => isAlive(pid), { timeout: 2_000 }).toBe(false);
  });

  it("takes a progress bar for one line that changes, and returns its last state", async () => {
    const { outcome, logs } = await bash({ bashCommand: "for n in $(seq 1 500); do printf '\\r%s' $n; done; printf '\\r\\n'" });
    expect(returnValue(outcome)).toBe("500");
    expect(logs.length).toBeLessThanOrEqual(2);
  });

  it("cuts a line without end instead of holding it", async () => {
    const { logs } = await bash({ bashCommand: "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo done" });
    expect(logs[0]?.message).toMatch(/^x+… \[line truncated: \d+ more bytes\]$/);
    expect(logs[0]?.message.length).toBeLessThan(MAX_LINE_BYTES + 100);
    expect(logs[1]?.message).toBe("done");
  });
});
