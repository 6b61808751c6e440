import type { Config } from "../config/index.ts";
import { startDagProcessorPart } from "./parts/dag-processor-part.ts";
import { runRole } from "./role.ts";

/** `baram dag-processor`: reads the DAG folder. */
export function runDagProcessor(config: Config): Promise<void> {
  return runRole(config, "dag-processor", (store, logger, metrics) =>
    startDagProcessorPart(config, store, logger, { withExamples: false }, metrics),
  );
}
