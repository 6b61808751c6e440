import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { createTokens, silentLogger } from "../../platform/index.ts";
import { createWorkerToken } from "./worker-token.ts";

const folder = mkdtempSync(join(tmpdir(), "baram-token-"));
const path = join(folder, "token");
afterEach(() => rmSync(path, { force: true }));

const HOUR_SEC = 3_600;

async function start(given: { ttlSec?: number; path?: string | null } = {}) {
  const time = { ms: 1_700_000_000_000 };
  const tokens = createTokens(new Uint8Array(48).fill(1), () => time.ms);
  const sign = (ttlSec: number) => tokens.sign("baram:worker", { subject: "etl-1" }, ttlSec);
  const lines: string[] = [];
  const changes: boolean[] = [];
  const logger = {
    ...silentLogger,
    warn: (_: object, message: string) => void lines.push(`warn ${message}`),
    error: (_: object, message: string) => void lines.push(`error ${message}`),
  };
  const first = await sign(given.ttlSec ?? HOUR_SEC);
  const token = createWorkerToken({
    token: first,
    name: "etl-1",
    path: given.path === undefined ? path : given.path,
    onChange: (isGood) => void changes.push(isGood),
    logger,
    now: () => time.ms,
  });
  /** Looks so often, each second or after `everySec`. */
  const pass = (times: number, everySec = 1) => {
    for (let at = 0; at < times; at++) {
      time.ms += everySec * 1_000;
      token.look();
    }
  };
  return { token, first, sign, pass, lines, changes };
}

test("nothing is taken from 10 s before the token's end on, calls have it until its end, and each minute says so with the remedy", async () => {
  const { token, first, pass, lines, changes } = await start({ path: null });
  pass(HOUR_SEC - 11);
  expect([token.isGood(), token.current(), changes]).toEqual([true, first, []]);
  pass(1);
  expect([token.isGood(), token.current(), changes]).toEqual([false, first, [false]]);
  pass(10);
  expect(token.current()).toBeNull();
  pass(120);
  const told = lines.filter((line) => line.startsWith("error"));
  expect(told).toHaveLength(3);
  expect(new Set(told).size).toBe(1);
  expect(told[0]).toMatch(/token has ended: .*takes no tasks.*baram worker token --name etl-1.*BARAM__WORKERS__TOKEN_FILE/);
});

test("a new token in the file is taken up without a restart, before the end and after it", async () => {
  const { token, first, sign, pass, lines, changes } = await start();
  writeFileSync(path, `${first}\n`);
  pass(60);
  const second = await sign(HOUR_SEC);
  writeFileSync(path, `${second}\n`);
  pass(1);
  expect([token.current(), changes]).toEqual([second, []]);
  pass(HOUR_SEC + 60);
  expect([token.current(), token.isGood(), changes]).toEqual([null, false, [false]]);
  const third = await sign(HOUR_SEC);
  writeFileSync(path, third);
  pass(1);
  expect([token.current(), token.isGood(), changes]).toEqual([third, true, [false, true]]);
  expect(lines.filter((line) => line.startsWith("error"))[0]).toContain(`baram worker token --renew ${path}`);
});

test("a file that is damaged, empty, away or holds an old token changes nothing, and is told of once", async () => {
  const { token, first, pass, lines } = await start();
  for (const text of ["no token", "", first]) {
    writeFileSync(path, text);
    pass(3);
  }
  rmSync(path);
  pass(3);
  expect(token.current()).toBe(first);
  expect(lines).toEqual(["error the file of the worker's token has changed, and contains none that is valid now"]);
});

test("a token that the API does not take is over, whatever the clock says, until there is another", async () => {
  const { token, first, sign, pass, lines, changes } = await start();
  token.refused("an older one");
  expect(token.isGood()).toBe(true);
  token.refused(first);
  expect([token.isGood(), token.current(), changes]).toEqual([false, null, [false]]);
  expect(lines).toEqual([expect.stringMatching(/^error the API does not take the worker's token any more/)]);
  writeFileSync(path, first);
  pass(3);
  expect(token.isGood()).toBe(false);
  writeFileSync(path, await sign(HOUR_SEC * 2));
  pass(1);
  expect([token.isGood(), changes]).toEqual([true, [false, true]]);
});

test("its end is announced in the last tenth of its life, a week at most, once a day", async () => {
  const long = await start({ ttlSec: 30 * 24 * HOUR_SEC });
  long.pass(1, 27 * 24 * HOUR_SEC - 1);
  expect(long.lines).toEqual([]);
  for (let hour = 0; hour < 48; hour++) long.pass(1, HOUR_SEC);
  expect(long.lines).toHaveLength(2);
  const short = await start();
  short.pass(HOUR_SEC * 0.9 - 1);
  expect(short.lines).toEqual([]);
  short.pass(60);
  expect(short.lines).toEqual([expect.stringMatching(/^warn the worker's token ends soon/)]);
});
