// Two files with the same dagId: the database decides who owns the DAG, whichever dag-processor saves first.

import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { serializedDag } from "../../../tests/support/dag-fixture.ts";
import { dagFileText, openProcessorRig, type ProcessorRig, writeDagFile } from "../../../tests/support/dag-processors.ts";
import type { TestDatabase } from "../../../tests/support/database.ts";
import { createSchedulerDatabase } from "../../../tests/support/scheduler-rig.ts";
import { buildOf, type DagBundle, type DagFileStore, type SaveOutcome } from "../../dag-files/index.ts";
import { hashDag } from "../../serialized/index.ts";

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
const isTaken = (dagId: string, by: string) => expect.stringContaining(`DAG "${dagId}" of ${by}`);

test("a copy whose path sorts first does not take the DAG, at a fresh start neither; it gets it when the owner lets go", async () => {
  await writeDagFile(folder, "prod.ts", dagFileText(["x", "y"]));
  const first = rig.createProcessor(folder);
  await first.processOnce();
  await writeDagFile(folder, "copy.ts", dagFileText(["x"], "copy"));
  await first.processOnce();
  const owned = ["x@dags:prod.ts", "y@dags:prod.ts"];
  const told = {
    "dags:copy.ts":
      'DAG "x" of copy.ts (bundle dags) is already defined in prod.ts (bundle dags), which owns it; give this one another dagId, or take it out of prod.ts',
  };
  expect([await rig.active(), await rig.errors()]).toEqual([owned, told]);
  await first.stop();
  await query("delete from import_error");
  await query("delete from dag_file where filename = 'copy.ts'");
  const second = rig.createProcessor(folder);
  await second.processOnce();
  expect([await rig.active(), await rig.errors()]).toEqual([owned, told]);
  expect(await second.processOnce()).toMatchObject({ processed: 0 });
  // The owner breaks: its last good version still owns the DAG.
  await writeDagFile(folder, "prod.ts", "const = 1;");
  await writeDagFile(folder, "copy.ts", dagFileText(["x"], "copy2"));
  await second.processOnce();
  expect(await rig.active()).toEqual(owned);
  await writeDagFile(folder, "prod.ts", dagFileText(["y"]));
  await second.processOnce();
  expect([await rig.active(), await rig.errors()]).toEqual([["x@dags:copy.ts", "y@dags:prod.ts"], {}]);
});

test("a file that waits gets the DAG with the next scan when another dag-processor saw its owner let go", async () => {
  const other = rig.createFolder();
  await writeDagFile(folder, "prod.ts", dagFileText(["x", "y"]));
  await writeDagFile(other, "copy.ts", dagFileText(["x"]));
  const bundles: DagBundle[] = [{ name: "copies", path: other }];
  const [owner, copier] = [rig.createProcessor(folder), rig.createProcessor(other, { bundles })];
  await owner.processOnce();
  for (let scan = 0; scan < 2; scan++) await copier.processOnce();
  expect(await rig.errors()).toEqual({ "copies:copy.ts": isTaken("x", "copy.ts (bundle copies)") });
  expect(await copier.processOnce()).toMatchObject({ processed: 0 });
  // A restart of the owner's dag-processor does not release the DAG.
  await owner.stop();
  await copier.processOnce();
  expect(await rig.active()).toEqual(["x@dags:prod.ts", "y@dags:prod.ts"]);
  const restarted = rig.createProcessor(folder);
  await writeDagFile(folder, "prod.ts", dagFileText(["y"]));
  await restarted.processOnce();
  await copier.processOnce();
  expect([await rig.active(), await rig.errors()]).toEqual([["x@copies:copy.ts", "y@dags:prod.ts"], {}]);
  await writeDagFile(folder, "prod.ts", dagFileText(["y", "x"]));
  await restarted.processOnce();
  await rm(join(other, "copy.ts"));
  await copier.processOnce();
  await restarted.processOnce();
  expect([await rig.active(), await rig.errors()]).toEqual([["x@dags:prod.ts", "y@dags:prod.ts"], {}]);
});

test("the owner keeps its DAG from a bundle that comes before its own", async () => {
  const before = rig.createFolder();
  const bundles: DagBundle[] = [
    { name: "before", path: before },
    { name: "dags", path: folder },
  ];
  await writeDagFile(folder, "prod.ts", dagFileText(["x"]));
  await rig.createProcessor(folder, { bundles }).processOnce();
  await writeDagFile(before, "copy.ts", dagFileText(["x"]));
  await rig.createProcessor(folder, { bundles }).processOnce();
  expect(await rig.active()).toEqual(["x@dags:prod.ts"]);
  expect(Object.keys(await rig.errors())).toEqual(["before:copy.ts"]);
});

test("a file that was renamed while no dag-processor ran takes its DAG along at once, without an import error", async () => {
  await writeDagFile(folder, "a.ts", dagFileText(["x"]));
  const first = rig.createProcessor(folder);
  await first.processOnce();
  await first.stop();
  await rename(join(folder, "a.ts"), join(folder, "b.ts"));
  await rig.createProcessor(folder).processOnce();
  expect([await rig.active(), await rig.errors()]).toEqual([["x@dags:b.ts"], {}]);
});

test("of two dag-processors on a folder, none takes a renamed file for a copy, whichever looks first", async () => {
  await writeDagFile(folder, "a.ts", dagFileText(["x"]));
  const [one, two] = [rig.createProcessor(folder), rig.createProcessor(folder)];
  for (const processor of [one, two]) await processor.processOnce();
  await rename(join(folder, "a.ts"), join(folder, "b.ts"));
  // The other dag-processor has not scanned yet: a.ts may still exist.
  await one.processOnce();
  expect([await rig.active(), await rig.errors()]).toEqual([["x@dags:a.ts"], {}]);
  await two.processOnce();
  expect([await rig.active(), await rig.errors()]).toEqual([["x@dags:b.ts"], {}]);
  await one.processOnce();
  expect(await one.processOnce()).toMatchObject({ processed: 0 });
  expect([await rig.active(), await rig.errors()]).toEqual([["x@dags:b.ts"], {}]);
});

test("a copy in a folder that lacks the owner's file is an import error when the threshold has passed", async () => {
  const other = rig.createFolder();
  await writeDagFile(folder, "a.ts", dagFileText(["x"]));
  await writeDagFile(other, "b.ts", dagFileText(["x"]));
  await rig.createProcessor(folder).processOnce();
  await rig.createProcessor(other, { staleDagThresholdSec: 0 }).processOnce();
  expect(await rig.active()).toEqual(["x@dags:a.ts"]);
  expect(await rig.errors()).toEqual({ "dags:b.ts": isTaken("x", "b.ts") });
});

test("after an outage, the dag-processor that comes first takes nothing from one that has not come yet", async () => {
  const other = rig.createFolder();
  await writeDagFile(folder, "a.ts", dagFileText(["x"]));
  await writeDagFile(other, "b.ts", dagFileText(["x"]));
  const [owner, copier] = [rig.createProcessor(folder), rig.createProcessor(other)];
  await owner.processOnce();
  await copier.processOnce();
  await query("update dag_file_listing set valid_until = now() - interval '1 s'");
  await copier.processOnce();
  expect(await rig.active()).toEqual(["x@dags:a.ts"]);
  await owner.processOnce();
  await query("update dag_file set missing_since = missing_since - interval '51 s'");
  for (const processor of [copier, owner]) await processor.processOnce();
  expect(await rig.active()).toEqual(["x@dags:a.ts"]);
});

test("a folder that was away for longer than the threshold comes back with the owners that it had", async () => {
  await writeDagFile(folder, "prod.ts", dagFileText(["x"]));
  const processor = rig.createProcessor(folder, { staleDagThresholdSec: 0, fileOrder: "alphabetical", parsingProcesses: 1 });
  await processor.processOnce();
  await writeDagFile(folder, "copy.ts", dagFileText(["x"]));
  await processor.processOnce();
  await rename(folder, `${folder}-away`);
  await writeDagFile(folder, "readme.md", "");
  await processor.processOnce();
  expect(await rig.active()).toEqual([]);
  await rm(folder, { recursive: true });
  await rename(`${folder}-away`, folder);
  await processor.processOnce();
  expect(await rig.active()).toEqual(["x@dags:prod.ts"]);
  expect(Object.keys(await rig.errors())).toEqual(["dags:copy.ts"]);
});

const build = buildOf("1.0.0");

async function save(store: DagFileStore, relativePath: string, dagIds: readonly string[]) {
  const dags = dagIds.map((dagId) => {
    const dag = serializedDag({ dagId });
    return { dag, hash: hashDag(dag), plan: null };
  });
  const inputs = { inputs: [relativePath], inputsHash: `${relativePath} ${dagIds}`, build, isForced: false, takeFrom: [] };
  const module = { hash: `module of ${relativePath}`, code: "//", externals: [] };
  return store.saveDags({ bundleName: "dags", relativePath, ...inputs, module, source: "//", dags });
}

test("of files saved at the same moment one owns the DAG, also where they were there before and both gain it; the row is the one that was saved", async () => {
  const paths = ["a.ts", "b.ts", "c.ts", "d.ts"];
  const stores = paths.map(() => rig.createStore());
  for (const store of stores) await store.listFiles({ bundleName: "dags", files: paths, gone: [] }, build);
  const winners = new Set<string>();
  for (let round = 0; round < 15; round++) {
    const shared = [`s${round}`, `t${round}`];
    // Half of the rounds with files that were saved before, half with new ones.
    if (round % 2 === 0) await Promise.all(stores.map((store, at) => save(store, paths[at] ?? "", [`own${at}`])));
    else await query("delete from dag_file");
    const outcomes = await Promise.all(stores.map((store, at) => save(store, paths[at] ?? "", [`own${at}`, ...shared])));
    const saved = paths.filter((_, at) => outcomes[at]?.type === "saved");
    expect(saved).toHaveLength(1);
    expect(
      outcomes
        .filter((outcome) => outcome.type === "taken")
        .map((outcome) => outcome.type === "taken" && outcome.owner.relativePath),
    ).toEqual(Array(3).fill(saved[0]));
    const { rows } = await database.store.query("select filename from dag where dag_id = any($1)", [shared]);
    expect(rows).toEqual([{ filename: saved[0] }, { filename: saved[0] }]);
    winners.add(saved[0] ?? "");
    await Promise.all(stores.map((store, at) => save(store, paths[at] ?? "", [`own${at}`])));
  }
});

test.each(["new files", "files that were loaded before"])(
  "a save that waits for another one's to commit sees whose the new DAG is then: %s",
  async (files) => {
    const [first, second] = [rig.createStore(), rig.createStore()];
    for (const store of [first, second]) await store.listFiles({ bundleName: "dags", files: ["a.ts", "b.ts"], gone: [] }, build);
    if (files !== "new files") for (const path of ["a.ts", "b.ts"]) await save(first, path, []);
    // At the end of each save, before its commit.
    await query(
      "create function hold() returns trigger language plpgsql as 'begin perform pg_advisory_xact_lock_shared(4242); return null; end'",
    );
    await query("create trigger hold after delete on import_error for each statement execute function hold()");
    const waiters = async (event: string) =>
      (
        await query(
          `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and wait_event = '${event}'`,
        )
      ).rowCount;
    const saves: Promise<SaveOutcome>[] = [];
    await database.store.transaction(async (tx) => {
      await tx.query("select pg_advisory_xact_lock(4242)");
      saves.push(save(first, "a.ts", ["x"]));
      await expect.poll(() => waiters("advisory"), { timeout: 15_000 }).toBe(1);
      saves.push(save(second, "b.ts", ["x"]));
      await expect.poll(() => waiters("transactionid"), { timeout: 15_000 }).toBe(1);
    });
    expect(await Promise.all(saves)).toMatchObject([
      { type: "saved", created: ["x"] },
      { type: "taken", dagId: "x", owner: { relativePath: "a.ts" } },
    ]);
    expect(await rig.active()).toEqual(["x@dags:a.ts"]);
  },
);
