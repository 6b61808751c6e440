import type { EmailRequest, JsonObject, Outcome, SerializedTask } from "../../contracts/index.ts";
import { type Db, type FinishedTry, insertCallback, insertEmailRequests, type TryEnd, type TryFacts } from "../../store/index.ts";
import type { Graph } from "../core/graph.ts";

/** Mails are for people; the log has the full stack trace. */
const SHOWN_CHARACTERS = 10_000;

/** A failed try, with what decides which alerts are owed for it. */
export type Failure = {
  fact: TryFacts;
  graph: Graph;
  task: SerializedTask;
  end: TryEnd;
  outcome: Extract<Outcome, { state: "failed" }>;
};

/** Whether rows beside the try's own must be written in the same transaction. */
export function owesAnything(failure: Failure): boolean {
  return emailOf(failure) !== null || callbackOf(failure) !== null;
}

/**
 * Stores the alerts owed for finished tries: e-mails to the task's addresses, and the callback that a dead process could not run.
 * In the transaction that finishes the tries, so that a crash loses none and none is owed twice.
 */
export async function oweAlerts(tx: Db, failures: readonly Failure[], finished: readonly FinishedTry[]): Promise<void> {
  const emails: EmailRequest[] = [];
  for (const failure of failures) {
    const { fact, outcome } = failure;
    const row = finished.find((one) => one.id === fact.id);
    if (!row) continue;
    const email = emailOf(failure);
    if (email !== null) {
      emails.push({
        ...email,
        ...placeOf(fact),
        hostname: fact.hostname,
        startDate: row.startDate?.toISOString() ?? null,
        endDate: row.endDate.toISOString(),
        error: shorten(outcome.error),
      });
    }
    const callback = callbackOf(failure);
    if (callback !== null) {
      const { id, taskId, mapIndex, tryNumber, maxTries } = fact;
      const ti = {
        id,
        taskId,
        mapIndex,
        tryNumber: Math.max(1, tryNumber),
        maxTries,
        startDate: row.startDate?.toISOString() ?? null,
      };
      const data: JsonObject = { kind: "task", callback, reason: outcome.error.message, ti };
      await insertCallback(tx, { dagRunId: fact.dagRunId, versionId: fact.versionId, data });
    }
  }
  if (emails.length > 0) await insertEmailRequests(tx, emails);
}

function emailOf({ task, end }: Failure): Pick<EmailRequest, "kind" | "isByDefault" | "to"> | null {
  const kind = end.state === "up_for_retry" ? "retry" : "failure";
  const wanted = kind === "retry" ? task.emailOnRetry : task.emailOnFailure;
  if (task.email.length === 0 || wanted === false) return null;
  return { kind, isByDefault: wanted === null, to: task.email };
}

function callbackOf({ task, end, outcome }: Failure): "onRetry" | "onFailure" | null {
  const callback = end.state === "up_for_retry" ? "onRetry" : "onFailure";
  return outcome.owesCallback && task.callbacks[callback] ? callback : null;
}

function placeOf({ dagId, runId, taskId, mapIndex, tryNumber, maxTries }: TryFacts) {
  return { dagId, runId, taskId, mapIndex, tryNumber, maxTries };
}

function shorten({ name, message, stack }: Failure["outcome"]["error"]): Failure["outcome"]["error"] {
  const cut = (text: string) => (text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text);
  return { name: cut(name), message: cut(message), stack: stack && cut(stack) };
}
