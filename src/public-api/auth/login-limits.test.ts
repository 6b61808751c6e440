import { expect, test } from "vitest";
import { createBuckets, createLoginLimits } from "./login-limits.ts";

function createRig(slowMs = 0) {
  const time = { now: 1_000_000 };
  const limits = createLoginLimits({ now: () => time.now }, slowMs);
  const attempt = (name: string, address: string, isRight = false) =>
    limits
      .attempt(name, address, async () => (isRight ? true : null))
      .then(
        (ok) => (ok ? "in" : "wrong"),
        (error: { code: string }) => error.code,
      );
  return { time, limits, attempt };
}

test("a success costs nothing", async () => {
  const { attempt } = createRig();
  for (let turn = 0; turn < 100; turn++) expect(await attempt("ada", "1.1.1.1", true)).toBe("in");
});

test("a name is refused at the address that guesses it, and gets a token back every 12 s", async () => {
  const { time, attempt } = createRig();
  for (let turn = 0; turn < 5; turn++) expect(await attempt("ada", "1.1.1.1")).toBe("wrong");
  expect(await attempt("ada", "1.1.1.1", true)).toBe("attempts_too_many");
  expect(await attempt("ada", "1.1.1.2", true)).toBe("in");
  expect(await attempt("eve", "1.1.1.1", true)).toBe("in");
  time.now += 11_000;
  expect(await attempt("ada", "1.1.1.1", true)).toBe("attempts_too_many");
  time.now += 1_000;
  expect(await attempt("ada", "1.1.1.1", true)).toBe("in");
});

test("a name that is guessed at from everywhere is open to its owner, and slow, until it was left alone for a while", async () => {
  const { time, attempt } = createRig(200);
  const enterMs = async () => {
    const began = performance.now();
    expect(await attempt("ada", "1.1.2.1", true)).toBe("in");
    return performance.now() - began;
  };
  for (let turn = 0; turn < 49; turn++) await attempt("ada", `1.1.1.${turn}`);
  expect(await enterMs()).toBeLessThan(190);
  await attempt("ada", "1.1.1.50");
  expect(await enterMs()).toBeGreaterThan(190);
  time.now += 6_000;
  expect(await enterMs()).toBeLessThan(190);
});

test("of a name that is guessed at from everywhere, ten logins are under way at a time, and other names are not held up", async () => {
  const { limits, attempt } = createRig();
  for (let turn = 0; turn < 50; turn++) await attempt("ada", `1.1.1.${turn}`);
  let open = () => {};
  const gate = new Promise<void>((resolve) => (open = resolve));
  const held = Array.from({ length: 10 }, (_, at) =>
    limits.attempt("ada", `1.1.2.${at}`, async () => {
      await gate;
      return null;
    }),
  );
  expect(await attempt("ada", "1.1.3.1", true)).toBe("login_busy");
  expect(await attempt("eve", "1.1.3.1", true)).toBe("in");
  open();
  await Promise.all(held);
  expect(await attempt("ada", "1.1.3.1", true)).toBe("in");
});

test("what could not be checked is no guess at the name", async () => {
  const { limits, attempt } = createRig();
  for (let turn = 0; turn < 8; turn++)
    await expect(limits.attempt("ada", "1.1.1.1", () => Promise.reject(new Error("away")))).rejects.toThrow("away");
  expect(await attempt("ada", "1.1.1.1", true)).toBe("in");
});

test("keys are forgotten when they are full again or too many: the one that was used longest ago first", () => {
  const time = { now: 0 };
  const buckets = createBuckets({ now: () => time.now }, { burst: 1, perMinute: 1 });
  for (let key = 0; key <= 10_000; key++) buckets.take(String(key));
  expect(buckets.waitSec("0")).toBe(0);
  expect(buckets.waitSec("1")).toBe(60);
  time.now = 59_000;
  expect(buckets.waitSec("1")).toBe(1);
  time.now = 60_000;
  expect(buckets.waitSec("1")).toBe(0);
});
