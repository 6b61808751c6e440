import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { writeDagFile } from "../../tests/support/dag-processors.ts";
import { createMemoryProcessor, createMemoryStore, dagText } from "../../tests/support/memory-dag-file-store.ts";
import { BaramError } from "../platform/index.ts";
import type { DagProcessor, DagProcessorOptions } from "./dag-processor.ts";

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

function createProcessor(options: Partial<DagProcessorOptions> = {}): DagProcessor {
  const processor = createMemoryProcessor(memory, folder, options);
  processors.push(processor);
  return processor;
}

const write = (path: string, text: string) => writeDagFile(folder, path, text);

/** For conditions that must come true at some time: how soon depends on the machine. */
const PATIENT = { timeout: 15_000, interval: 10 };
/** The maximum wait for a write to be complete; then the limits of starting a child, of loading a file, and of idle children. */
const SETTLE_MS = 100;
const BOUNDS_MS = [30_000, 10_000, 15_000];

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

test("a folder that cannot be read leaves its DAGs as they are", async () => {
  await write("a.ts", dagText("a"));
  const processor = createProcessor();
  await processor.processOnce();
  await rename(folder, `${folder}-away`);
  await processor.processOnce();
  expect(memory.active()).toEqual(["a@a.ts"]);
  await rename(`${folder}-away`, folder);
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

test("a link out of the DAG folder is an import error for its path, reads nothing, and heals", async () => {
  const outside = await mkdtemp(join(tmpdir(), "outside-"));
  await writeFile(join(outside, "evil.ts"), dagText("evil"));
  await symlink(join(outside, "evil.ts"), join(folder, "evil.ts"));
  // Reading it would never end.
  await symlink("/dev/zero", join(folder, "endless.ts"));
  const processor = createProcessor();
  expect(await processor.processOnce()).toMatchObject({ processed: 2, failed: 2 });
  const message = expect.stringContaining("evil.ts is a symbolic link that points outside of the DAG folder");
  expect(memory.errors.get("evil.ts")).toMatchObject({ kind: "unreadable", message });
  expect(await processor.processOnce()).toMatchObject({ processed: 0 });
  await rm(join(folder, "evil.ts"));
  await write("evil.ts", dagText("good"));
  await processor.processOnce();
  expect(memory.active()).toEqual(["good@evil.ts"]);
  await rm(join(folder, "evil.ts"));
  await symlink(join(outside, "evil.ts"), join(folder, "evil.ts"));
  await processor.processOnce();
  expect(memory.errors.get("evil.ts")).toMatchObject({ message });
  await rm(join(folder, "evil.ts"));
  await processor.processOnce();
  expect(memory.errors.get("evil.ts")).toBeUndefined();
  await rm(outside, { recursive: true });
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

test("one dagId in two files: the owner keeps it, also from a file that comes first by path and after a restart; the other heals", async () => {
  await write("b.ts", dagText("x"));
  const processor = createProcessor();
  await processor.processOnce();
  await write("a.ts", dagText("x", "from a"));
  await processor.processOnce();
  expect(memory.active()).toEqual(["x@b.ts"]);
  expect(memory.errors.get("a.ts")).toMatchObject({
    kind: "duplicate_dag",
    message: expect.stringMatching(/"x" of a\.ts.*in b\.ts .*give this one another dagId, or take it out of b\.ts/),
  });
  expect((await processor.processOnce()).processed).toBe(0);

  const restarted = createProcessor();
  await restarted.processOnce();
  expect(memory.active()).toEqual(["x@b.ts"]);
  await rm(join(folder, "b.ts"));
  await restarted.processOnce();
  expect(memory.active()).toEqual(["x@a.ts"]);
  expect(memory.errors.size).toBe(0);
});

test("of files that come with one scan, the first by path owns the DAG, whichever is loaded first", async () => {
  for (const name of ["d", "b", "a", "c"]) await write(`${name}.ts`, dagText("x", name));
  const processor = createProcessor({ fileOrder: "random_seeded_by_host", parsingProcesses: 2 });
  await processor.processOnce();
  expect(memory.active()).toEqual(["x@a.ts"]);
  expect([...memory.errors.keys()].sort()).toEqual(["b.ts", "c.ts", "d.ts"]);
});

test("a renamed file takes its DAGs along at once, without an import error", async () => {
  await write("a.ts", dagText("x"));
  const processor = createProcessor();
  await processor.processOnce();
  for (const [from, to] of [
    ["a.ts", "b.ts"],
    ["b.ts", "0.ts"],
  ] as const) {
    await rename(join(folder, from), join(folder, to));
    await processor.processOnce();
    expect(memory.active()).toEqual([`x@${to}`]);
  }
  expect(memory.saves).toEqual(["a.ts", "b.ts", "0.ts"]);
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
    return saveDags(save);
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
  // The duration of a load depends on the machine. The test shows that no regular scan is needed, and that no wait is longer than
  // the time to settle.
  const processor = createProcessor({ refreshIntervalSec: 3_600 });
  await processor.start();
  await vi.waitFor(() => expect(memory.active()).toEqual(["a@a.ts"]), PATIENT);
  const timers = vi.spyOn(globalThis, "setTimeout");
  const seeTo = async (change: () => Promise<unknown>, expected: string[]) => {
    timers.mockClear();
    await change();
    await vi.waitFor(() => expect(memory.active()).toEqual(expected), PATIENT);
    // The regular scan is postponed at each scan, and evaluations and idle children have timeouts: these timers delay nothing.
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
