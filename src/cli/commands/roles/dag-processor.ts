import { loadConfig } from "../../../config/index.ts";
import { runDagProcessor } from "../../../main/dag-processor.ts";

export function dagProcessor(): Promise<void> {
  return runDagProcessor(loadConfig());
}
