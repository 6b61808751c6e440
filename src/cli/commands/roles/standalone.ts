import { loadConfig } from "../../../config/index.ts";
import { runStandalone } from "../../../main/standalone.ts";

export function standalone(): Promise<void> {
  return runStandalone(loadConfig());
}
