import { createRequire } from "node:module";

/** A compiled pattern that is matched in time linear in the text's length. */
export type LinearPattern = { test(text: string): boolean };

type Engine = typeof import("re2js");
let engine: Engine["RE2JS"] | null = null;

/**
 * Compiles a pattern that comes from data (RE2's syntax, ADR 0037): JavaScript's own engine tries every way to match, so that a short
 * pattern and 30 characters can hold up a process for seconds. Matches anywhere in the text. Throws for what the engine lacks. Patterns of
 * the operator's, in options and on the command line, may use RegExp.
 */
export function compileLinear(pattern: string): LinearPattern {
  return loadEngine().compile(pattern);
}

/** A pattern that JavaScript has, and the linear engine has not. The message names it, and what it may not contain. */
export class UnsupportedPatternError extends Error {}

/** The same for the syntax of JavaScript (with the flag `u`), without lookarounds and backreferences. Throws `UnsupportedPatternError`. */
export function compileLinearScript(pattern: string): LinearPattern {
  const re2 = loadEngine();
  // Also refuses what only RE2 knows: a pattern must mean the same in other JSON schema libraries.
  new RegExp(pattern, "u");
  try {
    return re2.compile(re2.translateRegExp(pattern));
  } catch (error) {
    throw new UnsupportedPatternError(
      `the pattern ${JSON.stringify(pattern)} cannot be used: patterns are matched in linear time, without lookaheads, lookbehinds, backreferences and repetitions above 1,000 (${(error as Error).message})`,
      { cause: error },
    );
  }
}

// Loaded on first use, synchronously: every runner loads this folder, and few need a pattern.
function loadEngine(): Engine["RE2JS"] {
  engine ??= (createRequire(import.meta.url)("re2js") as Engine).RE2JS;
  return engine;
}
