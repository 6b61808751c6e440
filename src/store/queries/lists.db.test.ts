/**
 * Every list, on a database with a past: how many rows of the long tables its statements touch, in each order and by each filter. A list is a file here that
 * calls `readPage`; one that is not in `LISTS` fails the first test.
 */
import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { seedHistory, TEST_SIZE } from "../../../bench/seed-history.mjs";
import { serializedDag } from "../../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../../tests/support/database.ts";
import { createCipher } from "../cipher.ts";
import type { Db, Row, Statement } from "../store.ts";
import { BACKFILL_ORDER_KEYS, listBackfills } from "./backfill/list-backfills.ts";
import { COUNT_MAX, type Listed, type Page } from "./compose.ts";
import { CONNECTION_ORDER_KEYS, listConnections } from "./connection/list-connections.ts";
import { deleteDag, lockDag } from "./dag/delete-dag.ts";
import { DAG_ORDER_KEYS, listDags, listTags } from "./dag/list-dags.ts";
import { listVersions, VERSION_ORDER_KEYS } from "./dag/list-versions.ts";
import { listRuns, RUN_ORDER_KEYS } from "./dag-run/list-runs.ts";
import { DAG_WARNING_ORDER_KEYS, listDagWarnings } from "./dag-warning/list-dag-warnings.ts";
import { EVENT_ORDER_KEYS, listEvents } from "./event-log/list-events.ts";
import { IMPORT_ERROR_ORDER_KEYS, listImportErrors } from "./import-error/list-import-errors.ts";
import { JOB_ORDER_KEYS, listJobs } from "./job/list-jobs.ts";
import { allPools } from "./pool/keep-pools.ts";
import { listPoolNames, POOL_ORDER_KEYS } from "./pool/list-pool-names.ts";
import { poolUsers } from "./pool/pool-users.ts";
import { findTriesOf } from "./task-instance/find-tries-of.ts";
import { INSTANCE_ORDER_KEYS, type InstanceFilter, listInstances } from "./task-instance/list-instances.ts";
import { selectCandidates } from "./task-instance/select-candidates.ts";
import { listVariables, VARIABLE_ORDER_KEYS } from "./variable/list-variables.ts";
import { listWorkers, WORKER_ORDER_KEYS } from "./worker/list-workers.ts";
import { listXcoms, XCOM_ORDER_KEYS, type XcomFilter } from "./xcom/list-xcoms.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  await seedHistory(database.store, TEST_SIZE, serializedDag({ dagId: "seeded" }));
}, 120_000);
afterAll(() => database.drop());

/** Those that grow with what has ended. dag_run is a hundredth of them: totals and deep pages are read from it. */
const LONG_TABLES = ["task_instance", "task_instance_history", "xcom", "log"];
/** A page, a bounded count, and what an index passes over on its way. */
const TOUCHED_MAX = COUNT_MAX + 10_000;

type PlanNode = {
  "Node Type": string;
  "Relation Name"?: string;
  "Actual Rows": number;
  "Actual Loops": number;
  "Rows Removed by Filter"?: number;
  "Rows Removed by Join Filter"?: number;
  "Rows Removed by Index Recheck"?: number;
  Plans?: PlanNode[];
};

/** Runs each statement under EXPLAIN ANALYZE first; `touched` sums what scans of the long tables came upon. */
function watched(): { db: Db; touched: () => number; scans: () => string[] } {
  let touched = 0;
  const scans: string[] = [];
  const visit = (node: PlanNode) => {
    if (node["Relation Name"] !== undefined && LONG_TABLES.includes(node["Relation Name"])) {
      const passed = (node["Rows Removed by Filter"] ?? 0) + (node["Rows Removed by Index Recheck"] ?? 0);
      const rows = (node["Actual Rows"] + passed) * node["Actual Loops"];
      touched += rows;
      scans.push(`${node["Node Type"]} of ${node["Relation Name"]}: ${rows}`);
    }
    for (const child of node.Plans ?? []) visit(child);
  };
  const db: Db = {
    async query<R extends Row>(statement: Statement | string, values?: readonly unknown[]) {
      const text = typeof statement === "string" ? statement : statement.text;
      if (!/^\s*explain/.test(text)) {
        const { rows } = await database.store.query<{ "QUERY PLAN": { Plan: PlanNode }[] }>(
          `explain (analyze, timing off, buffers off, format json) ${text}`,
          values,
        );
        for (const { Plan } of rows[0]?.["QUERY PLAN"] ?? []) visit(Plan);
      }
      return database.store.query<R>(statement, values);
    },
  };
  return { db, touched: () => Math.round(touched), scans: () => scans };
}

const cipher = createCipher(Buffer.alloc(32));
const aliveWithinSec = { SchedulerJob: 30, DagProcessorJob: 30, TriggererJob: 30, ApiServerJob: 30, WorkerJob: 30 };
const since = new Date("2024-01-09T00:00:00Z");

// biome-ignore lint/suspicious/noExplicitAny: each list has keys and filters of its own
type OfList = any;
type List = {
  keys: readonly string[];
  filters: readonly OfList[];
  read(db: Db, filter: OfList, page: Page<OfList>): Promise<Listed<unknown>>;
};

const instanceFilters: Partial<InstanceFilter>[] = [
  { dagIds: ["big"] },
  { dagIds: ["dag_0004"] },
  { dagRunId: 17 },
  { dagIds: ["dag_0004"], taskIds: ["task_003"] },
  { runIds: ["scheduled__2024-01-03 00:04:00+00"] },
  { states: ["failed"] },
  { states: ["success"] },
  { states: ["failed", "running", "up_for_retry"] },
  { states: ["scheduled"] },
  { states: ["failed", "none"] },
  { operators: ["SqlSensor"] },
  { operators: ["NoSuchOperator"] },
  { pools: ["warehouse"] },
  { queues: ["gpu"] },
  { executors: ["CeleryExecutor"] },
  { tryNumbers: [2] },
  { versionNumbers: [129] },
  { versionNumbers: [130] },
  { patterns: { dag_id: "ig" } },
  { prefixes: { run_id: "manual__" } },
  { ranges: { start_date: { gte: since } } },
  { ranges: { end_date: { lt: since } } },
  { ranges: { logical_date: { gte: since } } },
  { ranges: { run_after: { lt: since } } },
];
const xcomFilters: Partial<XcomFilter>[] = [
  { dagIds: ["dag_0004"] },
  { dagIds: ["dag_0004"], runIds: ["scheduled__2024-01-03 00:04:00+00"], taskIds: ["task_003"] },
];

const LISTS: Record<string, List> = {
  "backfill/list-backfills.ts": {
    keys: BACKFILL_ORDER_KEYS,
    filters: [{ dagId: "big" }, { isActive: true }],
    read: listBackfills,
  },
  "connection/list-connections.ts": {
    keys: CONNECTION_ORDER_KEYS,
    filters: [{ pattern: "a" }],
    read: (db, filter, page) => listConnections(db, cipher, filter, page),
  },
  "dag/list-dags.ts": {
    keys: DAG_ORDER_KEYS,
    filters: [
      { lastRunState: "failed" },
      { anyRunState: ["running"] },
      { tags: ["team_1"] },
      { dagIdPattern: "ig" },
      { hasImportErrors: true },
    ],
    read: listDags,
  },
  "dag/list-dags.ts, tags": {
    keys: ["name"],
    filters: [{ pattern: "team" }],
    read: (db, filter, page) =>
      listTags(db, filter, { ...page, order: page.order.length > 0 ? page.order : [{ key: "name", descending: false }] }),
  },
  "dag/list-versions.ts": {
    keys: VERSION_ORDER_KEYS,
    filters: [{ versionNumber: 3 }, { bundleName: "dags" }],
    read: (db, filter, page) => listVersions(db, { dagId: null, ...filter }, page),
  },
  "dag-run/list-runs.ts": {
    keys: RUN_ORDER_KEYS,
    filters: [
      { dagIds: ["big"] },
      { states: ["failed"] },
      { runTypes: ["manual"] },
      { runIdPattern: "manual" },
      { versionNumbers: [130] },
      { confContains: "7" },
    ],
    read: (db, filter, page) => listRuns(db, { ranges: {}, ...filter }, page),
  },
  "dag-warning/list-dag-warnings.ts": {
    keys: DAG_WARNING_ORDER_KEYS,
    filters: [{ dagId: "big" }, { warningType: "non-existent pool" }],
    read: (db, filter, page) => listDagWarnings(db, filter, page, ["LocalExecutor"]),
  },
  "event-log/list-events.ts": {
    keys: EVENT_ORDER_KEYS,
    filters: [
      { equal: { dag_id: "dag_0004" } },
      { equal: { event: "clear_task_instances" } },
      { after: since },
      { excluded: ["trigger_dag_run"] },
    ],
    read: (db, filter, page) => listEvents(db, { equal: {}, patterns: {}, ...filter }, page),
  },
  "import-error/list-import-errors.ts": {
    keys: IMPORT_ERROR_ORDER_KEYS,
    filters: [{ filenamePattern: "_1" }],
    read: listImportErrors,
  },
  "job/list-jobs.ts": {
    keys: JOB_ORDER_KEYS,
    filters: [{ isAlive: true }, { types: ["SchedulerJob"] }],
    read: (db, filter, page) => listJobs(db, { aliveWithinSec, ...filter }, page),
  },
  "pool/list-pool-names.ts": { keys: POOL_ORDER_KEYS, filters: [{ pattern: "ware" }], read: listPoolNames },
  "task-instance/list-instances.ts": {
    keys: INSTANCE_ORDER_KEYS,
    filters: instanceFilters,
    read: (db, filter, page) => listInstances(db, { ranges: {}, ...filter }, page),
  },
  "variable/list-variables.ts": {
    keys: VARIABLE_ORDER_KEYS,
    filters: [{ pattern: "a" }],
    read: (db, filter, page) => listVariables(db, cipher, filter, page),
  },
  "worker/list-workers.ts": {
    keys: WORKER_ORDER_KEYS,
    filters: [{ pattern: "a" }, { states: ["lost"] }, { queue: "gpu" }],
    read: (db, filter, page) => listWorkers(db, filter, page, 30),
  },
  "xcom/list-xcoms.ts": {
    keys: XCOM_ORDER_KEYS,
    filters: xcomFilters,
    read: (db, filter, page) => listXcoms(db, { ranges: {}, ...filter }, page),
  },
};

/** Orders of a whole long table that no index serves: each would cost every try's writes more than anybody wins by it (ADR 0032). */
const SORTED_WHOLE: Record<string, readonly string[]> = {
  "task-instance/list-instances.ts": [
    "task_id",
    "state",
    "duration",
    "map_index",
    "rendered_map_index",
    "try_number",
    "pool",
    "queue",
    "operator",
  ],
  "xcom/list-xcoms.ts": ["dag_id", "run_id", "task_id", "map_index", "key"],
  "event-log/list-events.ts": ["event", "owner", "dag_id", "run_id", "task_id", "logical_date", "extra"],
};

test("every file that reads pages is in the table, and so are its orders", () => {
  const folder = new URL(".", import.meta.url);
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
    (file) => file.endsWith(".ts") && !file.includes(".test."),
  );
  const lists = files.filter((file) => file !== "compose.ts" && readFileSync(new URL(file, folder), "utf8").includes("readPage"));
  expect(lists.sort()).toEqual([...new Set(Object.keys(LISTS).map((name) => name.split(",")[0]))].sort());
  for (const [file, keys] of Object.entries(SORTED_WHOLE)) expect(LISTS[file]?.keys).toEqual(expect.arrayContaining([...keys]));
});

describe.each(Object.entries(LISTS))("%s", (file, { keys, filters, read }) => {
  async function touches(filter: object, page: Partial<Page<string>>, max = TOUCHED_MAX): Promise<Listed<unknown>> {
    const { db, touched, scans } = watched();
    const found = await read(db, filter, { limit: 50, offset: 0, order: [], ...page });
    expect(touched(), `${JSON.stringify({ filter, page })}: ${scans().join("; ")}`).toBeLessThanOrEqual(max);
    return found;
  }
  const served = keys.filter((key) => !SORTED_WHOLE[file]?.includes(key));

  test("a page of all, in each order, touches a bounded number of rows", async () => {
    await touches({}, {});
    for (const key of served) for (const descending of [false, true]) await touches({}, { order: [{ key, descending }] });
  });

  test("a page by each filter touches a bounded number of rows", async () => {
    for (const filter of filters) await touches(filter, {});
  });
});

const pageOf = (offset: number, key?: "start_date" | "logical_date" | "end_date", descending = true) => ({
  limit: 50,
  offset,
  order: key === undefined ? [] : [{ key, descending }],
});
const keysOf = ({ rows }: Listed<{ dagRunId: number; taskId: string; mapIndex: number }>) =>
  rows.map(({ dagRunId, taskId, mapIndex }) => `${dagRunId}/${taskId}/${mapIndex}`);

describe("task instances", () => {
  test.each([undefined, "logical_date", "start_date", "end_date"] as const)(
    "pages far down an order (%s) are where one walk would find them",
    async (key) => {
      const { store } = database;
      const order = key === undefined ? "" : `${key === "logical_date" ? "r" : "ti"}.${key} desc nulls last,`;
      const direction = key === undefined ? "asc" : "desc";
      const { rows: all } = await store.query<{ key: string }>(
        `select ti.dag_run_id || '/' || ti.task_id || '/' || ti.map_index as key from task_instance ti join dag_run r on r.id = ti.dag_run_id
        order by ${order} ti.dag_run_id ${direction}, ti.task_id ${direction}, ti.map_index ${direction}`,
      );
      for (const offset of [0, 50, 4_975, 49_990, 90_000, all.length - 51, all.length - 20, all.length, all.length + 7]) {
        const { db, touched } = watched();
        const found = await listInstances(db, { ranges: {} }, pageOf(offset, key));
        expect(found.total).toBe(all.length);
        expect(keysOf(found), `offset ${offset}`).toEqual(all.slice(offset, offset + 50).map((row) => row.key));
        // An order by date walks its index to the page; what has no date stands behind all others, where few look, and is sorted.
        const isDated = key === "start_date" || key === "end_date";
        expect(touched()).toBeLessThanOrEqual(isDated ? (offset < 80_000 ? offset : 3 * all.length) + 1_000 : TOUCHED_MAX);
      }
    },
  );

  test("a total is exact up to the bound; above it, it is near, and never so small that a reader would stop too early", async () => {
    const total = async (filter: Partial<InstanceFilter>, offset = 0) =>
      (await listInstances(database.store, { ranges: {}, ...filter }, pageOf(offset))).total;
    const count = async (where: string) =>
      (await database.store.query<{ n: number }>(`select count(*)::int as n from task_instance where ${where}`)).rows[0]?.n ?? 0;
    expect(await total({ states: ["failed"] })).toBe(await count("state = 'failed'"));
    expect(await total({ dagIds: ["big"] })).toBe(await count("dag_id = 'big'"));
    const successes = await count("state = 'success'");
    expect(Math.abs((await total({ states: ["success"] })) - successes) / successes).toBeLessThan(0.05);
    // The last page knows.
    expect(await total({ states: ["success"] }, successes - 10)).toBe(successes);
    await database.store.query("update pg_statistic set stanullfrac = 1 where starelid = 'task_instance'::regclass");
    expect(await total({ states: ["success"] }, 40_000)).toBeGreaterThan(40_050);
    await database.store.query("analyze task_instance");
  });
});

test("pools, their users and a task's tries look at nothing that has ended", async () => {
  const pools = watched();
  expect(await allPools(pools.db)).toMatchObject([
    { pool: "default_pool" },
    { pool: "full", scheduledSlots: expect.any(Number) },
    { pool: "warehouse" },
  ]);
  const used = watched();
  expect(await poolUsers(used.db, "nobody", 6)).toEqual([]);
  const open =
    (await database.store.query<{ n: number }>("select count(*)::int as n from task_instance where end_date is null")).rows[0]
      ?.n ?? 0;
  expect(pools.touched()).toBeLessThanOrEqual(open + 100);
  // Beside what is open, all instances of runs that go on are read for those without a state.
  expect(used.touched()).toBeLessThanOrEqual(2 * open + 2_000);
  const tries = watched();
  expect(await findTriesOf(tries.db, 17, "task_003", -1)).toHaveLength(1);
  expect(tries.touched()).toBeLessThanOrEqual(10);
});

test("the dispatcher does not look at what waits for a full pool", async () => {
  const { db, touched } = watched();
  const query = { executors: [["LocalExecutor", 32] as const], limit: 512, heldBack: [], jobId: 1, only: null };
  const found = await selectCandidates(db, query);
  expect(found.length).toBeGreaterThan(0);
  expect(new Set(found.map(({ pool }) => pool))).toEqual(new Set(["default_pool"]));
  expect(touched()).toBeLessThan(TEST_SIZE.waiting / 4);
});

test("a DAG with 130 versions is deleted without a look at the instances of others", async () => {
  await database.store.transaction(async (tx) => {
    // Counts of earlier statements of this connection may be among them still.
    const wholeReads = async () =>
      (
        await tx.query<{ relname: string; reads: string }>(
          "select relname, seq_scan::text as reads from pg_stat_xact_user_tables where relname = any($1) order by relname",
          [LONG_TABLES],
        )
      ).rows;
    const before = await wholeReads();
    await lockDag(tx, "dag_0001");
    await deleteDag(tx, "dag_0001");
    expect(before).toHaveLength(LONG_TABLES.length);
    expect(await wholeReads()).toEqual(before);
  });
});
