import { randomUUID } from "node:crypto";
import type { ExecuteTask, JsonObject } from "../../../src/contracts/index.ts";

let count = 0;

/** A workload of a new try, for executors without a database. */
export function makeWorkload(own: Partial<ExecuteTask["ti"]> & { token?: string } = {}): ExecuteTask {
  const { token = "a-token", ...ti } = own;
  return {
    type: "ExecuteTask",
    token,
    ti: {
      id: randomUUID(),
      dagId: "d",
      runId: `r${++count}`,
      taskId: "t",
      mapIndex: -1,
      tryNumber: 1,
      poolSlots: 1,
      queue: "default",
      priorityWeight: 1,
      executorConfig: {},
      ...ti,
    },
    moduleHash: "0".repeat(64),
    logPath: "a/b.log",
  };
}

/** executorConfig that gives the container an environment. */
export function withVariables(variables: Record<string, string>): JsonObject {
  const environment = Object.entries(variables).map(([name, value]) => ({ name, value }));
  return { overrides: { containerOverrides: [{ name: "baram", environment }] } };
}

/** Polls `look` until it returns a value, for example an event of an executor. */
export async function until<T>(look: () => T | null | undefined | false, what: string, timeoutMs = 10_000): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
