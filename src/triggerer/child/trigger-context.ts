import { inspect } from "node:util";
import { type JsonObject, type LogLevel, type LogRecord, limitLogRecord, type TriggerTask } from "../../contracts/index.ts";
import { sleep } from "../../platform/index.ts";
import type { TriggerContext } from "../../sdk/index.ts";
import { durationToSeconds, findJsonFault } from "../../sdk/runtime.ts";
import type { TriggerCaller } from "../contract.ts";

export type TriggerContextInput = {
  task: TriggerTask;
  signal: AbortSignal;
  call: TriggerCaller;
  log(record: LogRecord): void;
};

/** The context of a trigger of a DAG file. */
export function createTriggerContext({ task, signal, call, log }: TriggerContextInput): TriggerContext {
  const write = (level: LogLevel) => (message: string, facts?: Record<string, unknown>) =>
    log(limitLogRecord({ level, message: String(message), ...(facts === undefined ? {} : { facts: toLoggable(facts) }) }));
  const variable = async (key: string, options: { default?: unknown; json?: boolean } = {}): Promise<unknown> => {
    const found = await call("getVariable", { key });
    if (found !== null) return options.json ? parse(key, found.value) : found.value;
    if ("default" in options) return options.default;
    throw new Error(`there is no variable "${key}": set it with "baram variables set ${key} …", or give a default`);
  };
  return {
    task,
    signal,
    logger: { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") },
    now: () => new Date(),
    async sleep(duration) {
      await sleep(durationToSeconds("ctx.sleep()", duration) * 1000, signal);
      signal.throwIfAborted();
    },
    async connection(connId) {
      const connection = await call("getConnection", { connId });
      if (connection !== null) return connection;
      throw new Error(`there is no connection "${connId}": add it with "baram connections add ${connId}"`);
    },
    variable: variable as TriggerContext["variable"],
    async maskSecret(value) {
      await call("maskSecret", { value });
    },
    dags: { taskStates: (request) => call("getTaskStates", request) },
  };
}

function parse(key: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The value may be a secret, and JSON.parse's own message quotes it.
    throw new Error(`variable "${key}" is not JSON (its value has ${text.length} characters)`);
  }
}

// A log line must never fail a trigger: values that JSON cannot represent are written as text.
function toLoggable(facts: Record<string, unknown>): JsonObject {
  const shown = Object.entries(facts).map(([key, value]) => [
    key,
    findJsonFault(value) === undefined ? value : inspect(value, { depth: 3 }),
  ]);
  return Object.fromEntries(shown);
}
