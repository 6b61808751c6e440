// Dag-processors of two versions of Baram at the same time, as in a rolling upgrade.

import { afterEach, beforeEach, expect, test } from "vitest";
import { dagFileText, openProcessorRig, type ProcessorRig, writeDagFile } from "../../../tests/support/dag-processors.ts";
import type { TestDatabase } from "../../../tests/support/database.ts";
import { createSchedulerDatabase } from "../../../tests/support/scheduler-rig.ts";
import type { DagFileStore, DagProcessor } from "../../dag-files/index.ts";
import { type Logger, silentLogger } from "../../platform/index.ts";
import { removeDag } from "../../scheduler/commands/index.ts";

let database: TestDatabase;
let rig: ProcessorRig;
let folder: string;
let written: string[];
beforeEach(async () => {
  database = await createSchedulerDatabase();
  rig = openProcessorRig(database);
  folder = rig.createFolder();
  written = [];
});
afterEach(async () => {
  await rig.close();
  await database.drop();
});

/** Its saves are recorded if they write something. */
function createVersion(version: string, logger: Logger = silentLogger): DagProcessor {
  const wrap = (store: DagFileStore): DagFileStore => ({
    ...store,
    async saveDags(save) {
      // The output of another version's bundler.
      const code = `${save.module.code}\n// made by ${version}`;
      const outcome = await store.saveDags({ ...save, module: { ...save.module, code, hash: `${save.module.hash} ${version}` } });
      if (outcome.type === "saved") written.push(`${version} ${save.relativePath}`);
      return outcome;
    },
    async saveImportError(save) {
      const isWritten = await store.saveImportError(save);
      if (isWritten) written.push(`${version} ${save.relativePath}!`);
      return isWritten;
    },
  });
  return rig.createProcessor(folder, { version, wrap, logger });
}

const versions = async () =>
  (await database.store.query<{ count: number }>("select count(*)::int as count from dag_version")).rows[0]?.count;

test("side by side, each edit is saved by the newer build, before or after the older one, and then by none", async () => {
  await writeDagFile(folder, "a.ts", dagFileText(["x"]));
  const [older, newer] = [createVersion("1.9.0"), createVersion("1.10.0")];
  await older.processOnce();
  // After the upgrade, each file is saved once.
  await newer.processOnce();
  for (let scan = 0; scan < 3; scan++)
    for (const processor of [older, newer]) expect((await processor.processOnce()).processed).toBe(0);
  expect(written.splice(0)).toEqual(["1.9.0 a.ts", "1.10.0 a.ts"]);
  await writeDagFile(folder, "a.ts", dagFileText(["x"], "edited"));
  for (const processor of [newer, older, newer, older]) await processor.processOnce();
  expect(written.splice(0)).toEqual(["1.10.0 a.ts"]);
  await writeDagFile(folder, "a.ts", dagFileText(["x"], "edited again"));
  for (const processor of [older, newer, older, newer]) await processor.processOnce();
  expect(written.splice(0)).toEqual(["1.9.0 a.ts", "1.10.0 a.ts"]);
  expect(await versions()).toBe(5);
  // A start of either version saves nothing.
  await createVersion("1.9.0").processOnce();
  await createVersion("1.10.0").processOnce();
  expect(written).toEqual([]);
});

test("an older build leaves the import error of a newer one, and its own alone", async () => {
  await writeDagFile(folder, "a.ts", "throw new Error('x');");
  const [older, newer] = [createVersion("1.0.0"), createVersion("2.0.0")];
  await newer.processOnce();
  for (let scan = 0; scan < 3; scan++) await older.processOnce();
  expect(written).toEqual(["2.0.0 a.ts!"]);
});

test("what a newer build saved and is not there any more is saved by the older one, until the newer one has seen it", async () => {
  await writeDagFile(folder, "a.ts", dagFileText(["x"]));
  const [older, newer] = [createVersion("1.0.0"), createVersion("2.0.0")];
  for (const processor of [newer, older]) await processor.processOnce();
  await removeDag(database.store, "x");
  for (let scan = 0; scan < 2; scan++) for (const processor of [older, newer]) await processor.processOnce();
  expect(written).toEqual(["2.0.0 a.ts", "1.0.0 a.ts", "2.0.0 a.ts"]);
});

test("after going back to an older build files stay as the newer one saved them, which is said; a forced load saves them", async () => {
  for (const id of ["a", "b"]) await writeDagFile(folder, `${id}.ts`, dagFileText([id]));
  const newer = createVersion("2.0.0");
  await newer.processOnce();
  await newer.stop();
  written = [];
  const warnings: string[] = [];
  const older = createVersion("1.0.0", { ...silentLogger, warn: (_facts, message) => void warnings.push(message) });
  for (let scan = 0; scan < 2; scan++) await older.processOnce();
  expect(written).toEqual([]);
  expect(warnings).toEqual([expect.stringMatching(/^2 DAG file\(s\) were saved by a newer Baram .*baram dags reserialize/)]);
  await older.processOnce({ force: true });
  expect(written.sort()).toEqual(["1.0.0 a.ts", "1.0.0 b.ts"]);
});
