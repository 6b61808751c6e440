import { toError } from "../../platform/index.ts";
import { type FinishedTry, isDataFault } from "../../store/index.ts";

/** `refused`: why the try failed instead of ending as reported. */
export type FinishResult = FinishedTry & { refused?: string };

/**
 * Finishes tries in one batch, which costs least. If the database refuses the values of one, the batch is halved until that one stands
 * alone: the others finish as reported, and `onRefused` finishes that one.
 */
export async function finishApart<T>(
  tries: readonly T[],
  finish: (tries: readonly T[]) => Promise<FinishedTry[]>,
  onRefused: (one: T, error: Error) => Promise<FinishResult[]>,
): Promise<FinishResult[]> {
  const [first] = tries;
  if (first === undefined) return [];
  try {
    return await finish(tries);
  } catch (error) {
    if (!isDataFault(error)) throw error;
    if (tries.length === 1) return onRefused(first, toError(error));
  }
  const middle = Math.ceil(tries.length / 2);
  const finished = await finishApart(tries.slice(0, middle), finish, onRefused);
  finished.push(...(await finishApart(tries.slice(middle), finish, onRefused)));
  return finished;
}
