import type { Config } from "../config/index.ts";
import { BaramError } from "../platform/index.ts";

/** [scheduler] allowed_run_id_pattern, which as in Airflow must match from a run id's first character. Throws `config_invalid`. */
export function runIdPattern(config: Config): RegExp {
  const pattern = config.scheduler.allowed_run_id_pattern;
  try {
    return new RegExp(`^(?:${pattern})`);
  } catch (error) {
    throw new BaramError(
      "config_invalid",
      `[scheduler] allowed_run_id_pattern is "${pattern}", but must be a regular expression.`,
      {},
      error,
    );
  }
}
