/** A token that lives longer than this is good for any call; finding the one that lives longest would decode them all. */
const ENOUGH_MS = 60_000;

/**
 * The token in the head of a call: the API reads no body without a good one. A worker's own, where it has one; else the first of the
 * call's tokens that lives for a while, or the one that lives longest: one that has expired affects only its own try. The end is read
 * without a key: who forges it only gets the call refused.
 */
export function bearerOf(tokens: readonly string[], workerToken: string | null, nowMs = Date.now()): string | undefined {
  if (workerToken !== null && tokenEndSec(workerToken) * 1_000 > nowMs) return workerToken;
  let best: string | undefined;
  let bestEnd = Number.NEGATIVE_INFINITY;
  for (const token of tokens) {
    const end = tokenEndSec(token);
    if (end * 1_000 > nowMs + ENOUGH_MS) return token;
    if (end > bestEnd) [best, bestEnd] = [token, end];
  }
  return best;
}

/** In seconds since the epoch, read without a key; 0 for what is no token. */
export function tokenEndSec(token: string): number {
  try {
    const { exp } = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as { exp?: unknown };
    return typeof exp === "number" ? exp : 0;
  } catch {
    return 0;
  }
}
