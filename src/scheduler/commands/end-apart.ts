import { toError } from "../../platform/index.ts";
import { type EndedTry, isDataFault } from "../../store/index.ts";

/** `refused`: why the try failed instead of ending as reported. */
export type ReportedEnd = EndedTry & { refused?: string };

/**
 * Ends tries all together, as it costs least. Where the values of one are refused, the batch is halved until that one stands alone, so
 * the others end as they are; `onRefused` ends that one.
 */
export async function endApart<T>(
  tries: readonly T[],
  end: (tries: readonly T[]) => Promise<EndedTry[]>,
  onRefused: (one: T, error: Error) => Promise<ReportedEnd[]>,
): Promise<ReportedEnd[]> {
  const [first] = tries;
  if (first === undefined) return [];
  try {
    return await end(tries);
  } catch (error) {
    if (!isDataFault(error)) throw error;
    if (tries.length === 1) return onRefused(first, toError(error));
  }
  const middle = Math.ceil(tries.length / 2);
  const ended = await endApart(tries.slice(0, middle), end, onRefused);
  ended.push(...(await endApart(tries.slice(middle), end, onRefused)));
  return ended;
}
