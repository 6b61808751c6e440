import { loadConfig } from "../../../config/index.ts";
import { runTriggerer } from "../../../main/triggerer.ts";

export function triggerer({ capacity }: { capacity?: number }): Promise<void> {
  const config = loadConfig();
  return runTriggerer({ ...config, triggerer: { ...config.triggerer, capacity: capacity ?? config.triggerer.capacity } });
}
