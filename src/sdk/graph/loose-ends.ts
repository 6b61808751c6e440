import { noteLooseEnd } from "../dag/registry.ts";
import { DagDefinitionError } from "../definition-error.ts";
import { currentDraft } from "./scope.ts";
import type { DagDraft, LooseEnd } from "./types.ts";

/**
 * Registers `value` as unused; using it sets `madeAt` to null. `maker`: the function that the author called, so that the message
 * names the line of that call.
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
 * Refuses loose ends that the DAG's body created and did not use. Those created outside of it may belong to a module that several
 * files share, and are checked after the file has loaded.
 * @throws DagDefinitionError NEVER_CALLED, with the place where it was created
 */
export function checkLooseEnds({ dagId, looseEnds }: DagDraft): void {
  const left = looseEnds.find(({ madeAt }) => madeAt !== null);
  if (!left?.madeAt) return;
  const error = new DagDefinitionError("NEVER_CALLED", `DAG "${dagId}": ${left.message}`);
  error.stack = left.madeAt.stack.replace(/^.*/, `${error.name}: ${error.message}`);
  throw error;
}
