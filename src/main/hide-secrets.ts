import { type Config, hideEnvironment, isForUserCode, listOf } from "../config/index.ts";
import type { Logger } from "../platform/index.ts";

/**
 * For a role, at its start: hides its environment from the processes with user code that it will start. `passed`: what they get of
 * it; default: [workers] pass_environment.
 */
export function hideSecrets(
  config: Config,
  logger: Logger,
  passed: readonly string[] = listOf(config.workers.pass_environment),
): void {
  if (hideEnvironment((name, value) => isForUserCode(name, value, passed))) return;
  logger.warn(
    {},
    "This system does not let Baram hide its environment from processes of the same user: tasks can read secrets that are in it. Put them into files (BARAM__SECTION__NAME_FILE).",
  );
}
