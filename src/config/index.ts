export { parseConnection } from "./connection-uri.ts";
export {
  awsEndpoint,
  type Environment,
  type EnvironmentSecrets,
  environmentForUserCode,
  environmentSecrets,
  hideEnvironment,
  markOfThisProcess,
  ownEnvironment,
  workloadFromEnvironment,
} from "./environment.ts";
export { closeHome, makeHome } from "./home.ts";
export { readEncryptionKey, readJwtSecret, readOrMake } from "./keys.ts";
export { listOf } from "./list-option.ts";
export { type Config, loadConfig, nearOption, nearSection, type OptionSource } from "./load.ts";
export { MEANINGLESS_OPTIONS } from "./meaningless-options.ts";
export type { OptionSpec } from "./option-spec.ts";
export { type ConfigValues, OPTIONS } from "./options.ts";
export { sensitiveNames } from "./sensitive-names.ts";
export { EVERYTHING, isForUserCode, withheldFromUserCode } from "./user-environment.ts";
