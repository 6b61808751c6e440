import { type Config, readJwtSecret } from "../config/index.ts";
import { createTokens, type Tokens } from "../platform/index.ts";

const tokens = new WeakMap<Config, Tokens>();

/** The tokens of this process, one object for all of its roles, so that a token signed by one need not be verified by another. */
export function tokensOf(config: Config): Tokens {
  const known = tokens.get(config) ?? createTokens(readJwtSecret(config));
  tokens.set(config, known);
  return known;
}
