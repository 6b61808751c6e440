/**
 * The texts of `stop_reason`: who or what ended a try, as its log shows it. The note of a run that was ended in this way uses the same
 * texts.
 */
import { NOTE_MAX } from "../../contracts/index.ts";

/** Who clears or marks: a user of the API, the system's user of the command line, or a task that triggers an existing run again. */
export type Actor = { readonly user: string } | { readonly dagId: string; readonly runId: string; readonly taskId: string };

export function clearedBy(actor: Actor): string {
  return bounded(`cleared by ${nameOf(actor)}`);
}

export function markedBy(actor: Actor, state: string): string {
  return bounded(`marked ${state} by ${nameOf(actor)}`);
}

/** For downstream tasks that could not run because of a task that was then marked. */
export function clearedByMark(actor: Actor, taskId: string, state: string): string {
  return bounded(`cleared because its upstream task "${taskId}" was marked ${state} by ${nameOf(actor)}`);
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

/** The actor's name within a sentence. */
export function nameOf(actor: Actor): string {
  if ("user" in actor) return `"${actor.user}"`;
  return `task "${actor.taskId}" of run "${actor.runId}" of DAG "${actor.dagId}"`;
}

/** Almost all names have a maximum length; the name of a system's user has none that Baram knows. */
function bounded(text: string): string {
  return text.length <= NOTE_MAX ? text : `${text.slice(0, NOTE_MAX - 1)}…`;
}
