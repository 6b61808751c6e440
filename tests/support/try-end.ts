import type { TryEnd } from "../../src/store/index.ts";

/** The end of a try with only the given fields set. */
export function tryEnd(own: Pick<TryEnd, "id" | "state"> & Partial<TryEnd>): TryEnd {
  return {
    deferral: null,
    nextAttemptInSec: null,
    reason: null,
    xcoms: [],
    renderedFields: null,
    mapLength: null,
    renderedMapIndex: null,
    ...own,
  };
}
