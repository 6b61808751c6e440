import { noteLooseEnd } from "../dag/registry.ts";
import { DagDefinitionError } from "../definition-error.ts";
import { currentDraft } from "./scope.ts";
import type { DagDraft, LooseEnd } from "./types.ts";

/**
 * Notes `value`, which must be used to take effect: that sets `madeAt` to null. `maker`: the author's call, whose line a message
 * names.
 */
export function addLooseEnd(value: object, message: string, maker: (...args: never[]) => unknown): LooseEnd {
  const madeAt = { stack: "" };
  Error.captureStackTrace(madeAt, maker);
  const looseEnd: LooseEnd = { message, madeAt };
  const draft = currentDraft();
  if (draft === undefined) noteLooseEnd(looseEnd, value);
  else draft.looseEnds.push(looseEnd);
  return looseEnd;
}

/**
 * Refuses what the DAG's body made and left. What was made outside of it may belong to a module that serves several files, and is
 * looked at when the file has loaded.
 * @throws DagDefinitionError NEVER_CALLED, with the place where it was made
 */
export function checkLooseEnds({ dagId, looseEnds }: DagDraft): void {
  const left = looseEnds.find(({ madeAt }) => madeAt !== null);
  if (!left?.madeAt) return;
  const error = new DagDefinitionError("NEVER_CALLED", `DAG "${dagId}": ${left.message}`);
  error.stack = left.madeAt.stack.replace(/^.*/, `${error.name}: ${error.message}`);
  throw error;
}
