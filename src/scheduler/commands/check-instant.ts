import { INSTANT_RULE, isInstantInBounds } from "../../contracts/index.ts";
import { BaramError } from "../../platform/index.ts";

/** Throws `instant_out_of_bounds` for an instant that no run may have. `what` names it, e.g. "the logical date". */
export function checkInstant(dagId: string, what: string, instant: Date | null | undefined): void {
  if (!instant || isInstantInBounds(instant.getTime())) return;
  const shown = Number.isNaN(instant.getTime()) ? "no date" : instant.toISOString();
  throw new BaramError(
    "instant_out_of_bounds",
    `DAG "${dagId}": ${what} is ${shown}, but ${INSTANT_RULE}. Choose another date.`,
    {
      dagId,
      instant: shown,
    },
  );
}
