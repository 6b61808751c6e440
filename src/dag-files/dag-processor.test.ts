import { mkdir, mkdtemp, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { failingReads } from "../../tests/support/failing-reads.ts";
import { BaramError, type Logger, silentLogger, silentMetrics, systemClock } from "../platform/index.ts";
import type { DagFileStore, ImportErrorFacts, KnownDagFile } from "./contract.ts";
import { createDagProcessor, type DagProcessor, type DagProcessorOptions, type DagProcessorResources } from "./dag-processor.ts";

/** The contract of `DagFileStore` in memory, with what a test may look at. */
function createMemoryStore() {
  const files = new Map<string, KnownDagFile>();
  const dags = new Map<string, { file: string; hash: string; isStale: boolean }>();
  const errors = new Map<string, ImportErrorFacts>();
  const saves: string[] = [];
  /** Files that the next scan is to plan anew. */
  const toPlan: string[] = [];
  const ownedBy = (file: string) => [...dags].filter(([, dag]) => dag.file === file);
  const store: DagFileStore = {
    knownFiles: async () => [...files.values()],
    filesToPlan: async () => toPlan.splice(0).map((relativePath) => ({ bundleName: "dags", relativePath })),
    planSeeds: async () => ({}),
    async saveDags(save) {
      const file = save.relativePath;
      saves.push(file);
      for (const [, dag] of ownedBy(file)) dag.isStale = true;
      for (const { dag, hash } of save.dags) dags.set(dag.dagId, { file, hash, isStale: false });
      errors.delete(file);
      const { bundleName, relativePath, inputs, inputsHash } = save;
      files.set(file, {
        bundleName,
        relativePath,
        inputs,
        inputsHash,
        dagIds: save.dags.map(({ dag }) => dag.dagId),
        hasImportError: false,
      });
    },
    async saveImportError({ error, ...save }) {
      saves.push(`${save.relativePath}!`);
      errors.set(save.relativePath, error);
      files.set(save.relativePath, { ...save, dagIds: ownedBy(save.relativePath).map(([id]) => id), hasImportError: true });
    },
    async deactivateMissing(_bundle, present) {
      for (const file of [...files.keys()].filter((path) => !present.includes(path))) {
        files.delete(file);
        errors.delete(file);
        for (const [, dag] of ownedBy(file)) dag.isStale = true;
      }
    },
  };
  const active = () =>
    [...dags]
      .filter(([, dag]) => !dag.isStale)
      .map(([id, dag]) => `${id}@${dag.file}`)
      .sort();
  return { store, errors, saves, active, dags, toPlan };
}

let folder: string;
let memory: ReturnType<typeof createMemoryStore>;
const processors: DagProcessor[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "processor "));
  memory = createMemoryStore();
});
afterEach(async () => {
  await Promise.all(processors.splice(0).map((processor) => processor.stop()));
  await rm(folder, { recursive: true, force: true });
});

function createProcessor(
  options: Partial<DagProcessorOptions> = {},
  resources: Partial<DagProcessorResources> = {},
): DagProcessor {
  const processor = createDagProcessor(
    { metrics: silentMetrics, store: memory.store, clock: systemClock, logger: silentLogger, ...resources },
    {
      bundles: [{ name: "dags", path: folder }],
      cacheDir: join(folder, ".cache"),
      environment: { PATH: "/usr/local/bin:/usr/bin:/bin" },
      ...options,
    },
  );
  processors.push(processor);
  return processor;
}

/** Written a minute ago, so that the file counts as settled. */
async function write(path: string, text: string): Promise<void> {
  await writeFile(join(folder, path), text);
  const aMinuteAgo = new Date(Date.now() - 60_000);
  await utimes(join(folder, path), aMinuteAgo, aMinuteAgo);
}

/** For what must come at all: how soon is the machine's. */
const PATIENT = { timeout: 15_000, interval: 10 };
/** What is waited at most for a write to be complete; and the bounds of starting a child, loading a file, idle children. */
const SETTLE_MS = 100;
const BOUNDS_MS = [30_000, 10_000, 15_000];

const dagText = (dagId: string, tag = "") =>
  `import { dag } from "baram";\nexport default dag({ dagId: "${dagId}", schedule: null, tags: ["t${tag}"] }, () => {});\n`;

test("loads what is new and changed, and leaves the rest alone, also after a restart", async () => {
  await write("a.ts", dagText("a"));
  await write("b.ts", `import { id } from "./lib.mts";\n${dagText("b").replace('"b"', "id")}`);
  await write("lib.mts", 'export const id = "b";');
  const first = createProcessor();
  expect(await first.processOnce()).toEqual({ files: 3, processed: 3, failed: 0 });
  expect(memory.active()).toEqual(["a@a.ts", "b@b.ts"]);
  expect((await first.processOnce()).processed).toBe(0);

  const second = createProcessor();
  expect((await second.processOnce()).processed).toBe(0);
  await write("lib.mts", 'export const id = "b2";');
  expect((await second.processOnce()).processed).toBe(2);
  expect(memory.active()).toEqual(["a@a.ts", "b2@b.ts"]);
  expect((await second.processOnce({ force: true })).processed).toBe(3);
});

test("a removed file's DAGs become stale, and come back with it", async () => {
  await write("a.ts", dagText("a"));
  const processor = createProcessor();
  await processor.processOnce();
  await rename(join(folder, "a.ts"), join(folder, "a.txt"));
  await processor.processOnce();
  expect(memory.active()).toEqual([]);
  await rename(join(folder, "a.txt"), join(folder, "a.ts"));
  await processor.processOnce();
  expect(memory.active()).toEqual(["a@a.ts"]);
});

test("a file removed while no dag-processor ran is noticed at the start", async () => {
  await write("a.ts", dagText("a"));
  await createProcessor().processOnce();
  await rm(join(folder, "a.ts"));
  await createProcessor().processOnce();
  expect(memory.active()).toEqual([]);
});

test("a folder that cannot be read leaves its DAGs as they are", async () => {
  await write("a.ts", dagText("a"));
  const processor = createProcessor();
  await processor.processOnce();
  await rename(folder, `${folder}-away`);
  await processor.processOnce();
  expect(memory.active()).toEqual(["a@a.ts"]);
  await rename(`${folder}-away`, folder);
});

/** What is warned of, in one line each. */
function recordWarnings() {
  const warnings: string[] = [];
  const logger: Logger = { ...silentLogger, warn: (_facts, message) => void warnings.push(message) };
  return { warnings, logger };
}

test("a folder below that cannot be read leaves its DAGs as they are, and is told of once when it goes and when it comes", async () => {
  await mkdir(join(folder, "team"));
  await write("team/a.ts", dagText("a"));
  await write("b.ts", dagText("b"));
  await createProcessor().processOnce();
  const { warnings, logger } = recordWarnings();
  const faults: Record<string, string> = { "/team$": "EACCES" };
  // One that starts with it, so knows the file from the store only, and one that saw it before.
  const processor = createProcessor({}, { reads: failingReads(faults), logger });
  for (let scan = 0; scan < 3; scan++) await processor.processOnce();
  expect(memory.active()).toEqual(["a@team/a.ts", "b@b.ts"]);
  expect(warnings).toEqual([expect.stringMatching(/team cannot be read: EACCES .*uid \d+.*stay as they are/)]);
  delete faults["/team$"];
  await processor.processOnce();
  faults["/team$"] = "EIO";
  await processor.processOnce();
  expect(warnings.slice(1)).toEqual([expect.stringContaining("can be looked at now"), expect.stringContaining("EIO")]);
  expect(memory.active()).toEqual(["a@team/a.ts", "b@b.ts"]);
  delete faults["/team$"];
  await rm(join(folder, "team", "a.ts"));
  await processor.processOnce();
  expect(memory.active()).toEqual(["b@b.ts"]);
});

test("a bundle whose folder cannot be read holds up no other, and is told of once per reason", async () => {
  const other = join(folder, "other");
  await mkdir(other);
  await write("a.ts", dagText("a"));
  const { warnings, logger } = recordWarnings();
  const faults: Record<string, string> = { "/other$": "EACCES" };
  const bundles = [
    { name: "other", path: other },
    { name: "dags", path: folder },
  ];
  const processor = createProcessor({ bundles }, { reads: failingReads(faults), logger });
  for (let scan = 0; scan < 2; scan++) await processor.processOnce();
  faults["/other$"] = "EIO";
  await processor.processOnce();
  expect(memory.active()).toEqual(["a@a.ts"]);
  expect(warnings.filter((line) => line.startsWith("the DAG folder")).map((line) => /E[A-Z]+/.exec(line)?.[0])).toEqual([
    "EACCES",
    "EIO",
  ]);
});

test("a file that cannot be read is an import error with path, errno and remedy, keeps its DAGs, and heals", async () => {
  await write("a.ts", dagText("a"));
  await write("b.ts", `import "./lib.ts";\n${dagText("b")}`);
  await write("lib.ts", "export {};");
  const faults: Record<string, string> = {};
  const processor = createProcessor({}, { reads: failingReads(faults) });
  await processor.processOnce();
  faults["/a.ts$"] = "EACCES";
  await processor.processOnce();
  expect(memory.errors.get("a.ts")).toMatchObject({
    kind: "unreadable",
    message: expect.stringMatching(/\/a\.ts cannot be read: EACCES \(a reason\); let the user .*uid \d+/),
  });
  expect(memory.active()).toEqual(["a@a.ts", "b@b.ts"]);
  delete faults["/a.ts$"];
  await processor.processOnce();
  expect(memory.errors.size).toBe(0);
});

test("a helper or a package.json that cannot be read is told as that", async () => {
  await write("a.ts", `import "./lib.ts";\n${dagText("a")}`);
  await symlink("lib.ts", join(folder, "lib.ts"));
  const processor = createProcessor();
  await processor.processOnce();
  expect(memory.errors.get("a.ts")).toMatchObject({
    kind: "unreadable",
    message: expect.stringMatching(/lib\.ts.*go in a circle/),
  });
  await rm(join(folder, "lib.ts"));
  await write("lib.ts", "export {};");
  await mkdir(join(folder, "package.json"));
  await processor.processOnce();
  expect(memory.errors.get("a.ts")).toMatchObject({
    kind: "unreadable",
    message: expect.stringMatching(/package\.json cannot be read: EISDIR/),
  });
  await rm(join(folder, "package.json"), { recursive: true });
  await processor.processOnce();
  expect(memory.active()).toEqual(["a@a.ts"]);
});

test("an error keeps the last good version, is told once, and heals", async () => {
  await write("a.ts", dagText("a"));
  const processor = createProcessor();
  await processor.processOnce();
  await write("a.ts", "const = 1;");
  expect((await processor.processOnce()).failed).toBe(1);
  expect(memory.errors.get("a.ts")).toMatchObject({ kind: "syntax", line: 1 });
  expect(memory.active()).toEqual(["a@a.ts"]);
  await processor.processOnce();
  expect(memory.saves).toEqual(["a.ts", "a.ts!"]);
  await write("a.ts", dagText("a"));
  await processor.processOnce();
  expect(memory.errors.size).toBe(0);
});

test("a missing import heals when the imported file appears", async () => {
  await write("a.ts", `import "./later.ts";\n${dagText("a")}`);
  const processor = createProcessor();
  await processor.processOnce();
  expect(memory.errors.get("a.ts")?.kind).toBe("unresolved_import");
  await write("later.ts", "export {};");
  await processor.processOnce();
  expect(memory.active()).toEqual(["a@a.ts"]);
});

test("one dagId in two files: the first by path owns it, the other names both and heals", async () => {
  await write("b.ts", dagText("x"));
  const processor = createProcessor();
  await processor.processOnce();
  await write("a.ts", dagText("x", "from a"));
  await processor.processOnce();
  expect(memory.active()).toEqual(["x@a.ts"]);
  expect(memory.errors.get("b.ts")).toMatchObject({
    kind: "duplicate_dag",
    message: expect.stringMatching(/"x" of b\.ts.*in a\.ts/),
  });

  const restarted = createProcessor();
  await restarted.processOnce();
  expect(memory.active()).toEqual(["x@a.ts"]);
  await rm(join(folder, "a.ts"));
  await restarted.processOnce();
  expect(memory.active()).toEqual(["x@b.ts"]);
  expect(memory.errors.size).toBe(0);
});

test("a duplicate heals when the owner renames its DAG", async () => {
  await write("a.ts", dagText("x"));
  await write("b.ts", dagText("x"));
  const processor = createProcessor();
  await processor.processOnce();
  expect([...memory.errors.keys()]).toEqual(["b.ts"]);
  await write("a.ts", dagText("y"));
  await processor.processOnce();
  expect(memory.active()).toEqual(["x@b.ts", "y@a.ts"]);
  expect(memory.errors.size).toBe(0);
});

test("a file that hangs, one that exits and one that crashes hurt only themselves", async () => {
  await write("a_hang.ts", 'import "baram"; while (true) {}');
  await write("b_exit.ts", "process.exit(0);");
  await write("c_crash.ts", "process.abort();");
  for (let i = 0; i < 5; i++) await write(`good${i}.ts`, dagText(`good${i}`));
  const processor = createProcessor({ dagbagImportTimeoutSec: 2 });
  const startedAt = Date.now();
  const done = processor.processOnce();
  await vi.waitFor(() => expect(memory.active()).toHaveLength(5), { timeout: 15_000 });
  await done;
  expect(Date.now() - startedAt).toBeLessThan(15_000);
  expect([...memory.errors].map(([file, error]) => `${file} ${error.kind}`).sort()).toEqual([
    "a_hang.ts timeout",
    "b_exit.ts exit",
    "c_crash.ts crash",
  ]);
});

test("what one file does to its process is not seen by the next", async () => {
  const leaky = (id: string) =>
    `(globalThis as { seen?: string }).seen ??= "${id}";\nprocess.env.SEEN ??= "${id}";\nprocess.chdir("/");\n${dagText(
      id,
    ).replace('"t"', "String((globalThis as { seen?: string }).seen), String(process.env.SEEN)")}`;
  for (const id of ["a", "b", "c"]) await write(`${id}.ts`, leaky(id));
  const seen = new Map<string, string[]>();
  const { saveDags } = memory.store;
  memory.store.saveDags = async (save) => {
    for (const { dag } of save.dags) seen.set(dag.dagId, dag.tags);
    await saveDags(save);
  };
  await createProcessor({ parsingProcesses: 1 }).processOnce();
  expect(Object.fromEntries([...seen].map(([id, tags]) => [id, [...new Set(tags)]]))).toEqual({ a: ["a"], b: ["b"], c: ["c"] });
});

test("a store that fails leaves the file to the next scan", async () => {
  await write("a.ts", dagText("a"));
  const { saveDags } = memory.store;
  memory.store.saveDags = () => Promise.reject(new Error("connection lost"));
  const processor = createProcessor();
  expect((await processor.processOnce()).failed).toBe(1);
  memory.store.saveDags = saveDags;
  await processor.processOnce();
  expect(memory.active()).toEqual(["a@a.ts"]);
});

test("a file that cannot be saved is an import error, said once, and harms no other file of the scan", async () => {
  await write("a.ts", dagText("a"));
  await write("b.ts", dagText("b"));
  const { saveDags } = memory.store;
  memory.store.saveDags = (save) =>
    save.relativePath === "a.ts" ? Promise.reject(new BaramError("dag_unsaved", "the database refuses a value")) : saveDags(save);
  const processor = createProcessor();
  expect(await processor.processOnce()).toEqual({ files: 2, processed: 2, failed: 1 });
  expect(memory.active()).toEqual(["b@b.ts"]);
  expect(memory.errors.get("a.ts")).toMatchObject({ kind: "invalid_dag", message: "the database refuses a value", file: "a.ts" });
  expect((await processor.processOnce()).processed).toBe(0);
  memory.store.saveDags = saveDags;
  await write("a.ts", dagText("a", "2"));
  await processor.processOnce();
  expect(memory.active()).toEqual(["a@a.ts", "b@b.ts"]);
});

test("an edited file, a new one in a new folder and a deleted one are seen by the watcher, and put off by nothing but the time to settle", async () => {
  await write("a.ts", dagText("a"));
  // How long a load takes is the machine's. What is ours: no regular scan helps, and no wait of ours is longer than the time to settle.
  const processor = createProcessor({ refreshIntervalSec: 3_600 });
  await processor.start();
  await vi.waitFor(() => expect(memory.active()).toEqual(["a@a.ts"]), PATIENT);
  const timers = vi.spyOn(globalThis, "setTimeout");
  const seeTo = async (change: () => Promise<unknown>, expected: string[]) => {
    timers.mockClear();
    await change();
    await vi.waitFor(() => expect(memory.active()).toEqual(expected), PATIENT);
    // The regular scan is put off at each scan, and evaluations and idle children have bounds: these do not hold anything up.
    const waits = timers.mock.calls.flatMap(([, ms]) => (ms !== undefined && ms > 20 && ms < 3_600_000 ? [ms] : []));
    expect(waits.filter((ms) => ms === SETTLE_MS).length).toBeGreaterThan(0);
    expect(waits.filter((ms) => ms > SETTLE_MS && !BOUNDS_MS.includes(ms))).toEqual([]);
  };
  await seeTo(() => writeFile(join(folder, "a.ts"), dagText("a2")), ["a2@a.ts"]);
  await seeTo(async () => {
    await mkdir(join(folder, "team", "sub"), { recursive: true });
    await writeFile(join(folder, "team", "sub", "b.ts"), dagText("b"));
  }, ["a2@a.ts", "b@team/sub/b.ts"]);
  await seeTo(() => rm(join(folder, "a.ts")), ["b@team/sub/b.ts"]);
  timers.mockRestore();
});

test("stop ends a child in the middle of a file, and nothing is saved afterwards", async () => {
  await write("hang.ts", 'import "baram"; await new Promise(() => { setInterval(() => {}, 1000); });');
  const processor = createProcessor();
  const done = processor.processOnce();
  await delay(1_000);
  const startedAt = Date.now();
  await processor.stop();
  await done;
  expect(Date.now() - startedAt).toBeLessThan(2_000);
  expect(memory.saves).toEqual([]);
});
