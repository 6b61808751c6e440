import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { materializeModule } from "./module-cache.ts";
import { pruneModules } from "./prune-modules.ts";

const NOW = Date.parse("2024-05-01T12:00:00Z");
const MINUTE = 60_000;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "baram-cache-"));
});

/** A module of 1,000 bytes that was last used `minutesAgo`. */
async function keep(name: string, minutesAgo: number): Promise<string> {
  const code = `// ${name}`.padEnd(1_000, "x");
  const hash = createHash("sha256").update(code).digest("hex");
  const path = await materializeModule({ hash, code, externals: [] }, folder, []);
  utimesSync(path, NOW / 1_000, NOW / 1_000 - minutesAgo * 60);
  return hash;
}

const prune = (maxBytes: number, isInUse: (hash: string) => boolean = () => false, now = NOW) =>
  pruneModules(folder, { maxBytes, unusedForMs: 10 * MINUTE, now, isInUse });

test("the modules unused for longest go, and no more of them than must", async () => {
  const [old, older, recent] = [await keep("old", 30), await keep("older", 60), await keep("recent", 20)];
  expect(await prune(3_000)).toEqual([]);
  expect(await prune(2_000)).toEqual([older]);
  expect(await prune(1_500)).toEqual([old]);
  expect(readdirSync(folder)).toEqual([recent]);
});

test("one in use stays however old it is and however small the limit; so does one that another process used a moment ago", async () => {
  const [used, fresh, other] = [await keep("used", 90), await keep("fresh", 5), await keep("other", 60)];
  expect(await prune(0, (hash) => hash === used)).toEqual([other]);
  expect(readdirSync(folder).sort()).toEqual([used, fresh].sort());
  expect(await prune(0, () => false, NOW + 6 * MINUTE)).toEqual([used, fresh]);
});

test("being asked for is being used", async () => {
  const hash = await keep("again", 90);
  const code = "// again".padEnd(1_000, "x");
  await materializeModule({ hash, code, externals: [] }, folder, []);
  expect(await prune(0, () => false, Date.now())).toEqual([]);
  expect(existsSync(join(folder, hash))).toBe(true);
});

test("drafts that a killed process left go, and those being written stay; a cache that is not there is none", async () => {
  mkdirSync(join(folder, ".draft-left"));
  utimesSync(join(folder, ".draft-left"), NOW / 1_000, NOW / 1_000 - 3_600);
  mkdirSync(join(folder, ".draft-new"));
  utimesSync(join(folder, ".draft-new"), NOW / 1_000, NOW / 1_000 - 1);
  await prune(0);
  expect(readdirSync(folder)).toEqual([".draft-new"]);
  expect(
    await pruneModules(join(dirname(folder), "not-there"), { maxBytes: 0, unusedForMs: 0, now: NOW, isInUse: () => false }),
  ).toEqual([]);
});
