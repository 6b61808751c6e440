import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { distFile } from "../../main/dist-file.ts";
import { createHashPool } from "./hash-pool.ts";

const ENTRY = distFile("public-api/auth/hash-thread.js");
const work = (password: string) => ({ password, salt: Buffer.alloc(16), N: 1_024, r: 8, p: 1, keyBytes: 32, maxMemory: 2 ** 25 });

test("the queue has a bound, what it holds is done, and threads that idle end and start again", async () => {
  const pool = createHashPool({ entry: ENTRY, threads: 1, waitingMax: 3, idleMs: 1 });
  const made = await Promise.allSettled(["a", "a", "b", "c", "d"].map((password) => pool.derive(work(password))));
  expect(made.map(({ status }) => status)).toEqual([...Array(4).fill("fulfilled"), "rejected"]);
  expect(made[4]).toMatchObject({ reason: { code: "login_busy", facts: { retryAfterSec: 5 } } });
  const [one, same, other] = made.map((end) => (end.status === "fulfilled" ? Buffer.from(end.value).toString("hex") : ""));
  expect(one).toBe(same);
  expect(one).not.toBe(other);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(Buffer.from(await pool.derive(work("a"))).toString("hex")).toBe(one);
  await pool.close();
});

test("a cost that scrypt refuses fails that hash alone; a thread that cannot start fails its hash, and not the next", async () => {
  const pool = createHashPool({ entry: ENTRY, threads: 1 });
  await expect(pool.derive({ ...work("a"), N: 3 })).rejects.toThrow("could not be hashed");
  expect(await pool.derive(work("a"))).toHaveLength(32);
  await pool.close();
  const entry = join(mkdtempSync(join(tmpdir(), "baram-hash-")), "thread.mjs");
  const late = createHashPool({ entry, threads: 1 });
  await expect(late.derive(work("a"))).rejects.toThrow();
  writeFileSync(entry, `import ${JSON.stringify(ENTRY)};`);
  expect(await late.derive(work("a"))).toHaveLength(32);
  await late.close();
});

test("closing ends the hashes that wait", async () => {
  const pool = createHashPool({ entry: ENTRY, threads: 1 });
  const ends = Promise.allSettled(["a", "b"].map((password) => pool.derive({ ...work(password), N: 2 ** 14 })));
  await pool.close();
  expect((await ends).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
});
