import { BuiltinTrigger, type TriggerEnd } from "../../contracts/index.ts";
import type { BuiltinContext } from "./builtin-context.ts";
import { runDateTime } from "./date-time.ts";
import { runExternalTask } from "./external-task.ts";
import { runFile } from "./file.ts";
import { runHttp } from "./http.ts";

export type { BuiltinContext } from "./builtin-context.ts";

const BUILTINS: Record<string, (kwargs: unknown, ctx: BuiltinContext) => Promise<TriggerEnd>> = {
  [BuiltinTrigger.DateTime]: runDateTime,
  [BuiltinTrigger.File]: runFile,
  [BuiltinTrigger.ExternalTask]: runExternalTask,
  [BuiltinTrigger.Http]: runHttp,
};

/** Runs a built-in trigger to its end. Rejects when it fails, or when its signal aborts. */
export async function runBuiltin(classpath: string, kwargs: unknown, ctx: BuiltinContext): Promise<TriggerEnd> {
  const run = Object.hasOwn(BUILTINS, classpath) ? BUILTINS[classpath] : undefined;
  if (run === undefined)
    throw new Error(`there is no built-in trigger "${classpath}": known are ${Object.keys(BUILTINS).join(", ")}`);
  return run(kwargs, ctx);
}
