import type { Config } from "../config/index.ts";
import { startTriggererPart } from "./parts/triggerer-part.ts";
import { runRole } from "./role.ts";

/** `baram triggerer`: runs the triggers of deferred tasks; several may run. */
export function runTriggerer(config: Config): Promise<void> {
  return runRole(config, "triggerer", (store, logger, metrics) => startTriggererPart(config, store, logger, metrics));
}
