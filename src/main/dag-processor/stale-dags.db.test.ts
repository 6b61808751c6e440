// When DAGs become stale and active again: dag-processors with their real store, some of them on different folders.

import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { dagFileText, openProcessorRig, type ProcessorRig, writeDagFile } from "../../../tests/support/dag-processors.ts";
import type { TestDatabase } from "../../../tests/support/database.ts";
import { createSchedulerDatabase, trigger } from "../../../tests/support/scheduler-rig.ts";
import { buildOf } from "../../dag-files/index.ts";
import { type Logger, silentLogger } from "../../platform/index.ts";
import { removeDag } from "../../scheduler/commands/index.ts";

// Some tests start ten evaluation children one after another.
vi.setConfig({ testTimeout: 60_000 });

let database: TestDatabase;
let rig: ProcessorRig;
let folder: string;
beforeEach(async () => {
  database = await createSchedulerDatabase();
  rig = openProcessorRig(database);
  folder = rig.createFolder();
});
afterEach(async () => {
  await rig.close();
  await database.drop();
});

const query = (text: string) => database.store.query(text);
/** As if this time had passed. */
const pass = (sec: number) => query(`update dag_file set missing_since = missing_since - make_interval(secs => ${sec})`);
/** As if all dag-processors had been killed, and their listings had expired. */
const killAll = () => query("update dag_file_listing set valid_until = now() - interval '1 s'");

test("a deleted DAG comes back with the next scan, without its past, and its file's other DAGs stay as they are", async () => {
  await writeDagFile(folder, "a.ts", dagFileText(["x", "y"]));
  const processor = rig.createProcessor(folder);
  await processor.processOnce();
  await query("update dag set is_paused = true");
  await trigger(database.store, "x");
  await removeDag(database.store, "x");
  expect(await rig.active()).toEqual(["y@dags:a.ts"]);
  expect(await processor.processOnce()).toMatchObject({ processed: 1 });
  expect(await rig.active()).toEqual(["x@dags:a.ts", "y@dags:a.ts"]);
  const { rows } = await query(
    "select dag_id, is_paused, next_dagrun is not null as is_scheduled, (select count(*)::int from dag_run r where r.dag_id = d.dag_id) as runs from dag d order by 1",
  );
  expect(rows).toEqual([
    { dag_id: "x", is_paused: false, is_scheduled: true, runs: 0 },
    { dag_id: "y", is_paused: true, is_scheduled: true, runs: 0 },
  ]);
  expect(await processor.processOnce()).toMatchObject({ processed: 0 });
  await removeDag(database.store, "y");
  // A dag-processor that starts after the deletion.
  await rig.createProcessor(folder).processOnce();
  expect(await rig.active()).toEqual(["x@dags:a.ts", "y@dags:a.ts"]);
});

test.each([
  ["made stale", "update dag set is_stale = true"],
  ["given to a file that nobody has", "update dag set filename = 'other.ts'"],
  ["deleted with all that is known of its file", "with f as (delete from dag_file) delete from dag"],
])("a DAG whose row was %s comes back with the next scan", async (_what, change) => {
  await writeDagFile(folder, "a.ts", dagFileText(["x"]));
  const processor = rig.createProcessor(folder, { staleDagThresholdSec: 0 });
  await processor.processOnce();
  await query(change);
  await processor.processOnce();
  expect(await rig.active()).toEqual(["x@dags:a.ts"]);
  expect(await processor.processOnce()).toMatchObject({ processed: 0 });
});

test("an import error that somebody removed is there again after the next scan", async () => {
  await writeDagFile(folder, "a.ts", "throw new Error('broken');");
  const processor = rig.createProcessor(folder);
  await processor.processOnce();
  await query("delete from import_error");
  await processor.processOnce();
  expect(await rig.errors()).toEqual({ "dags:a.ts": expect.stringContaining("broken") });
  expect(await processor.processOnce()).toMatchObject({ processed: 0 });
});

test("what was deleted while the database was away is noticed after it, a file as well as a DAG", async () => {
  for (const id of ["a", "b", "c"]) await writeDagFile(folder, `${id}.ts`, dagFileText([id]));
  let isAway = false;
  const processor = rig.createProcessor(folder, {
    wrap: (store) => ({
      ...store,
      listFiles: (...given) => (isAway ? Promise.reject(new Error("away")) : store.listFiles(...given)),
    }),
  });
  await processor.processOnce();
  isAway = true;
  await rm(join(folder, "a.ts"));
  await rename(join(folder, "c.ts"), join(folder, "c.txt"));
  await removeDag(database.store, "b");
  await expect(processor.processOnce()).rejects.toThrow("away");
  await rename(join(folder, "c.txt"), join(folder, "c.ts"));
  isAway = false;
  await processor.processOnce();
  expect(await rig.active()).toEqual(["b@dags:b.ts", "c@dags:c.ts"]);
  await writeDagFile(folder, "c.ts", dagFileText(["c2"]));
  await processor.processOnce();
  expect(await rig.active()).toEqual(["b@dags:b.ts", "c2@dags:c.ts"]);
});

test("a dag-processor on an empty folder takes nothing from one that lives; when that one is gone, the DAGs go, and come back with it", async () => {
  await writeDagFile(folder, "a.ts", dagFileText(["x"]));
  const [full, empty] = [
    rig.createProcessor(folder, { staleDagThresholdSec: 0 }),
    rig.createProcessor(rig.createFolder(), { staleDagThresholdSec: 0 }),
  ];
  await full.processOnce();
  for (let scan = 0; scan < 3; scan++) await empty.processOnce();
  expect(await rig.active()).toEqual(["x@dags:a.ts"]);
  // Killed or stopped: its listing is no longer valid.
  await killAll();
  await empty.processOnce();
  expect(await rig.active()).toEqual([]);
  await full.processOnce();
  expect(await rig.active()).toEqual(["x@dags:a.ts"]);
  await full.stop();
  await empty.processOnce();
  expect(await rig.active()).toEqual([]);
});

test("the only dag-processor, starting on a half-filled folder, waits for the threshold, and says what it misses", async () => {
  for (const id of ["a", "b", "c"]) await writeDagFile(folder, `${id}.ts`, dagFileText([id]));
  const first = rig.createProcessor(folder);
  await first.processOnce();
  await first.stop();
  for (const id of ["b", "c"]) await rename(join(folder, `${id}.ts`), join(folder, `${id}.txt`));
  const warnings: object[] = [];
  const logger: Logger = { ...silentLogger, warn: (facts, message) => void warnings.push({ ...facts, message }) };
  const processor = rig.createProcessor(folder, { logger });
  for (let scan = 0; scan < 2; scan++) await processor.processOnce();
  expect(warnings).toEqual([expect.objectContaining({ files: 2, message: expect.stringContaining("stale_dag_threshold") })]);
  await pass(49);
  await rename(join(folder, "b.txt"), join(folder, "b.ts"));
  await processor.processOnce();
  expect(await rig.active()).toEqual(["a@dags:a.ts", "b@dags:b.ts", "c@dags:c.ts"]);
  await pass(2);
  await processor.processOnce();
  expect(await rig.active()).toEqual(["a@dags:a.ts", "b@dags:b.ts"]);
});

test("a deleted file's DAG goes at once, unless another dag-processor still has the file; then when that one sees it go", async () => {
  const other = rig.createFolder();
  for (const path of [folder, other]) for (const id of ["a", "b"]) await writeDagFile(path, `${id}.ts`, dagFileText([id]));
  const processors = [rig.createProcessor(folder), rig.createProcessor(other)];
  for (const processor of processors) await processor.processOnce();
  await rm(join(folder, "a.ts"));
  await processors[0]?.processOnce();
  expect(await rig.active()).toEqual(["a@dags:a.ts", "b@dags:b.ts"]);
  await rm(join(other, "a.ts"));
  await processors[1]?.processOnce();
  expect(await rig.active()).toEqual(["b@dags:b.ts"]);
  for (const path of [folder, other]) await rm(join(path, "b.ts"));
  await Promise.all(processors.map((processor) => processor.processOnce()));
  expect(await rig.active()).toEqual([]);
  expect((await query("select 1 from dag_file")).rows).toEqual([]);
});

test("another folder in the place of the one that was read is no deletion: a volume was unmounted, or a release put in", async () => {
  await writeDagFile(folder, "a.ts", dagFileText(["a"]));
  await writeDagFile(folder, "team/b.ts", dagFileText(["b"]));
  const processor = rig.createProcessor(folder);
  await processor.processOnce();
  await rename(join(folder, "team"), `${folder}-team`);
  await writeDagFile(folder, "team/c.ts", dagFileText(["c"]));
  await processor.processOnce();
  expect(await rig.active()).toEqual(["a@dags:a.ts", "b@dags:team/b.ts", "c@dags:team/c.ts"]);
  await pass(51);
  await processor.processOnce();
  expect(await rig.active()).toEqual(["a@dags:a.ts", "c@dags:team/c.ts"]);
  await rm(join(folder, "team"), { recursive: true });
  await processor.processOnce();
  expect(await rig.active()).toEqual(["a@dags:a.ts"]);
  await rm(`${folder}-team`, { recursive: true });
});

test("DAGs of a bundle that nobody reads any more become stale after the threshold", async () => {
  const examples = rig.createFolder();
  await writeDagFile(examples, "e.ts", dagFileText(["e"]));
  await writeDagFile(folder, "a.ts", dagFileText(["a"]));
  const withExamples = rig.createProcessor(examples, { bundles: [{ name: "examples", path: examples }] });
  await withExamples.processOnce();
  const processor = rig.createProcessor(folder);
  await processor.processOnce();
  await pass(51);
  await processor.processOnce();
  expect(await rig.active()).toEqual(["a@dags:a.ts", "e@examples:e.ts"]);
  await withExamples.stop();
  await processor.processOnce();
  expect(await rig.active()).toEqual(["a@dags:a.ts", "e@examples:e.ts"]);
  await pass(51);
  await processor.processOnce();
  expect(await rig.active()).toEqual(["a@dags:a.ts"]);
});

test("a scan takes the same few statements for five files and for five thousand, and writes no row of a file that is where it was", async () => {
  const build = buildOf("1.0.0");
  const counts: number[] = [];
  for (const files of [5, 5_000]) {
    await query(`insert into dag_file (bundle_name, filename, inputs_hash, inputs, build)
                 select 'b${files}', 'f' || n || '.ts', 'h', '{x}', '{${build.join()}}' from generate_series(1, ${files}) n`);
    const store = rig.createStore();
    const listing = { bundleName: `b${files}`, files: Array.from({ length: files }, (_, at) => `f${at + 1}.ts`), gone: [] };
    await store.listFiles(listing, build);
    const versions = () => query("select bundle_name, filename, xmin from dag_file order by 1, 2");
    const before = (await versions()).rows;
    const sent = database.store.statementCount();
    expect(await store.listFiles(listing, build)).toEqual({ toLoad: [], forgotten: [] });
    counts.push(database.store.statementCount() - sent);
    expect((await versions()).rows).toEqual(before);
  }
  expect(counts[0]).toBe(counts[1]);
  expect(counts[0]).toBeLessThanOrEqual(5);
});
