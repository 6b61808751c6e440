import { expect, test } from "vitest";
import { createTokenBucket } from "./token-bucket.ts";

/** How many tokens there are within these milliseconds, asked for as often as one may. */
function takenWithin(bucket: ReturnType<typeof createTokenBucket>, fromMs: number, ms: number): number {
  let taken = 0;
  for (let now = fromMs; now < fromMs + ms; ) {
    const wait = bucket.take(now);
    if (wait === 0) taken++;
    else now += wait;
  }
  return taken;
}

test("so many at once, then so many a second, for as long as it is asked", () => {
  const bucket = createTokenBucket({ perSec: 10, burst: 5 });
  expect(takenWithin(bucket, 1_000, 1)).toBe(5);
  expect(takenWithin(bucket, 1_001, 10_000)).toBe(100);
  // What was not used is there at once, up to the burst.
  expect(takenWithin(bucket, 60_000, 1)).toBe(5);
});

test("a throttle closes it, longer each time in a row, with jitter, and a success ends the row", () => {
  const waits = [0, 1].map((random) => {
    const bucket = createTokenBucket({ perSec: 100, burst: 100, random: () => random });
    let now = 0;
    return Array.from({ length: 8 }, () => {
      bucket.punish(now);
      const wait = bucket.take(now);
      now += wait;
      return wait;
    });
  });
  expect(waits).toEqual([
    [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000],
    [500, 1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000],
  ]);
  const bucket = createTokenBucket({ perSec: 100, burst: 100, random: () => 1 });
  bucket.punish(0);
  bucket.punish(1);
  expect(bucket.take(1), "requests that were under way together are one sign").toBe(499);
  bucket.reward();
  bucket.punish(500);
  expect(bucket.take(500)).toBe(500);
});
