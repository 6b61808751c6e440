/**
 * Why a try was ended by somebody other than its task, in the words that its log has: what `stop_reason` holds. The same words stand in the
 * note of a run that ended so.
 */
import { NOTE_MAX } from "../../contracts/index.ts";

/** Who clears or marks: a person, by the name of the API's user or of the system's, or a task that triggers a run anew. */
export type Actor = { readonly user: string } | { readonly dagId: string; readonly runId: string; readonly taskId: string };

export function clearedBy(actor: Actor): string {
  return bounded(`cleared by ${nameOf(actor)}`);
}

export function markedBy(actor: Actor, state: string): string {
  return bounded(`marked ${state} by ${nameOf(actor)}`);
}

/** Of what could not run because of a task that was then marked. */
export function clearedByMark(actor: Actor, taskId: string, state: string): string {
  return bounded(`cleared, since task "${taskId}" before it was marked ${state} by ${nameOf(actor)}`);
}

export function runMarkedBy(actor: Actor, state: string): string {
  return bounded(`its DAG run was marked ${state} by ${nameOf(actor)}`);
}

export function failedFast(taskId: string, mapIndex: number): string {
  return bounded(`its DAG has failFast, and task "${taskId}"${mapIndex < 0 ? "" : `, map index ${mapIndex},`} failed`);
}

export function runTimedOut(timeoutSec: number | null): string {
  return `its DAG run took longer than its dagrunTimeout of ${timeoutSec} s`;
}

/** As it stands in a sentence. */
export function nameOf(actor: Actor): string {
  if ("user" in actor) return `"${actor.user}"`;
  return `task "${actor.taskId}" of run "${actor.runId}" of DAG "${actor.dagId}"`;
}

/** Names have bounds of their own almost everywhere; a system's user has none that we know. */
function bounded(text: string): string {
  return text.length <= NOTE_MAX ? text : `${text.slice(0, NOTE_MAX - 1)}…`;
}
