import { expect, test } from "vitest";
import { retryDelaySec } from "./retry-delay.ts";

const ID = "8a1f0c1e-0000-4000-8000-00000000002a";
const task = { retryDelaySec: 10, retryExponentialBackoff: 2, maxRetryDelaySec: null };

test("without backoff the delay is constant, and capped", () => {
  expect(retryDelaySec({ ...task, retryExponentialBackoff: 0 }, 5, ID)).toBe(10);
  expect(retryDelaySec({ ...task, retryExponentialBackoff: 0, maxRetryDelaySec: 3 }, 5, ID)).toBe(3);
});

test("with backoff the n-th delay lies between delay·factor^(n-1) and twice that", () => {
  for (let tryNumber = 1; tryNumber <= 8; tryNumber++) {
    const base = 10 * 2 ** (tryNumber - 1);
    const delay = retryDelaySec(task, tryNumber, ID);
    expect(delay).toBeGreaterThanOrEqual(base);
    expect(delay).toBeLessThan(2 * base);
  }
});

test("the cap holds, a day at most, also where the power overflows", () => {
  expect(retryDelaySec({ ...task, maxRetryDelaySec: 60 }, 9, ID)).toBe(60);
  expect(retryDelaySec(task, 50, ID)).toBe(86_400);
  expect(retryDelaySec({ ...task, retryExponentialBackoff: 1e9 }, 10_000, ID)).toBe(86_400);
  expect(retryDelaySec({ ...task, retryDelaySec: 0 }, 10_000, ID)).toBe(0);
});

test("two tries of different ids do not wait alike", () => {
  expect(retryDelaySec({ ...task, retryDelaySec: 1_000 }, 3, ID)).not.toBe(
    retryDelaySec({ ...task, retryDelaySec: 1_000 }, 3, "8a1f0c1e-0000-4000-8000-00000000abcd"),
  );
});
