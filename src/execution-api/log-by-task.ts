import type { JsonObject } from "../contracts/index.ts";
import type { VerifiedToken } from "../platform/index.ts";
import type { Actor } from "../scheduler/commands/index.ts";
import { type CallerFacts, type Db, findCaller, logEvent } from "../store/index.ts";
import { staleTry } from "./refusal.ts";
import type { CallResources, ExecutionApiOptions } from "./resources.ts";

export type CallingTry = { readonly tryId: string; readonly claims?: Pick<VerifiedToken, "isForCallbacks"> };
export type Caller = CallingTry & { resources: CallResources; options: ExecutionApiOptions };

/**
 * Who makes a call, to be written down with what it does. Throws `try_not_running` if it is over, or never was: more exactly than
 * `LiveCallers`, which may be a second late.
 */
export async function callerOf(tx: Db, { tryId, claims }: CallingTry): Promise<CallerFacts> {
  const found = await findCaller(tx, tryId);
  if (found === null || (found.kind === "ended" && !claims?.isForCallbacks)) throw staleTry(tryId);
  return found;
}

/** As the reason of a clear names it. */
export function actorOf({ dagId, runId, taskId }: CallerFacts): Actor {
  return taskId === null ? { user: `a callback of run "${runId}" of DAG "${dagId}"` } : { dagId, runId, taskId };
}

/**
 * Writes what a task did outside of its own run to the audit log, in the transaction that does it. The line's DAG and run are those
 * that were changed, or else the task's own; its owner is always the task.
 */
export async function logByTask(
  tx: Db,
  by: CallerFacts,
  event: string,
  change: { dagId?: string; runId?: string; extra?: JsonObject },
): Promise<void> {
  const own = { dagId: by.dagId, runId: by.runId, taskId: by.taskId, mapIndex: by.mapIndex, tryNumber: by.tryNumber };
  const place = change.dagId === undefined ? own : { dagId: change.dagId, runId: change.runId ?? null };
  const extra = { ...change.extra, map_index: by.mapIndex, try_number: by.tryNumber };
  await logEvent(tx, { event, owner: ownerOf(by), ...place, extra });
}

function ownerOf({ kind, dagId, runId, taskId }: CallerFacts): string {
  const place = [dagId, runId, ...(taskId === null ? [] : [taskId])].join("/");
  return `${kind === "callback" ? "callback" : "task"} ${place}`;
}
