import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeDagFile } from "../../tests/support/dag-processors.ts";
import { failingReads } from "../../tests/support/failing-reads.ts";
import { createMemoryProcessor, createMemoryStore, dagText } from "../../tests/support/memory-dag-file-store.ts";
import { type Logger, silentLogger } from "../platform/index.ts";
import type { DagProcessor, DagProcessorOptions, DagProcessorResources } from "./dag-processor.ts";

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
  const processor = createMemoryProcessor(memory, folder, options, resources);
  processors.push(processor);
  return processor;
}

const write = (path: string, text: string) => writeDagFile(folder, path, text);

/** Records the warnings, one line each. */
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
  // The first starts now and knows the file only from the store; the second saw it before.
  const processor = createProcessor({}, { reads: failingReads(faults), logger });
  for (let scan = 0; scan < 3; scan++) await processor.processOnce();
  expect(memory.active()).toEqual(["a@team/a.ts", "b@b.ts"]);
  expect(warnings).toEqual([expect.stringMatching(/team cannot be read: EACCES .*uid \d+.*stay as they are/)]);
  delete faults["/team$"];
  await processor.processOnce();
  faults["/team$"] = "EIO";
  await processor.processOnce();
  expect(warnings.slice(1)).toEqual([expect.stringContaining("can be read now"), expect.stringContaining("EIO")]);
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
  expect(warnings.filter((line) => line.startsWith("the DAG folder")).map((line) => /: (E[A-Z]+) /.exec(line)?.[1])).toEqual([
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
    message: expect.stringMatching(/lib\.ts.*form a cycle/),
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
