import {
  type Config,
  type Environment,
  hideEnvironment,
  isForUserCode,
  listOf,
  ownEnvironment,
  withheldFromUserCode,
} from "../config/index.ts";
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

/** For a role that starts user code: a variable that a DAG misses is withheld in silence otherwise. Names, never values. */
export function tellOfWithheld(config: Config, logger: Logger, environment: Environment = ownEnvironment()): void {
  const { variables, proxies } = withheldFromUserCode(environment, listOf(config.workers.pass_environment));
  if (variables.length > 0)
    logger.info(
      { variables },
      "These environment variables are withheld from tasks, triggers and DAG files; [workers] pass_environment names those that they may see",
    );
  if (proxies.length > 0)
    logger.warn(
      { variables: proxies },
      "These proxies are withheld from tasks, triggers and DAG files, since their URLs have a password; use a proxy without one, or name the variables in [workers] pass_environment if every DAG may know the password",
    );
}
