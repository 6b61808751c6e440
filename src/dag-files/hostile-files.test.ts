// DAG folders whose author means harm, or has put a pipe or a data set where code belongs.
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, realpath, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeDagFile } from "../../tests/support/dag-processors.ts";
import { createMemoryProcessor, createMemoryStore, dagText } from "../../tests/support/memory-dag-file-store.ts";
import { createBundler } from "./bundler.ts";
import type { DagProcessor, DagProcessorOptions } from "./dag-processor.ts";
import { readRegularFile } from "./file-reads.ts";
import { findDagFiles } from "./find-dag-files.ts";

let folder: string;
let memory: ReturnType<typeof createMemoryStore>;
const processors: DagProcessor[] = [];

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "hostile ")));
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
const makePipe = (path: string) => execFileSync("mkfifo", [join(folder, path)]);
/** A file that takes no space on the disk. */
async function writeSparse(path: string, bytes: number): Promise<void> {
  await writeFile(join(folder, path), "");
  await truncate(join(folder, path), bytes);
}

test("only regular files are read, without waiting for the others, and not above the limit", async () => {
  makePipe("pipe");
  const server = createServer().listen(join(folder, "socket"));
  await new Promise((resolve) => server.once("listening", resolve));
  await writeSparse("big", 16 * 1024 * 1024 + 1);
  await writeSparse("full", 16 * 1024 * 1024);
  await symlink("pipe", join(folder, "link"));
  const codeOf = (path: string) => readRegularFile(path).then(String, (error: NodeJS.ErrnoException) => error.code);
  const paths = ["pipe", "link", "socket", "big", ".", "none"].map((path) => join(folder, path));
  expect(await Promise.all([...paths, "/dev/null"].map(codeOf))).toEqual([
    "EFTYPE",
    "EFTYPE",
    "ENXIO",
    "EFBIG",
    "EISDIR",
    "ENOENT",
    "EFTYPE",
  ]);
  expect((await readRegularFile(join(folder, "full"))).length).toBe(16 * 1024 * 1024);
  // A file of /proc says that it is empty.
  if (process.platform === "linux") expect(String(await readRegularFile("/proc/self/status"))).toContain("VmRSS");
  server.close();
});

test("data of 600 MB, imported, named as a source map, as a DAG file or as package.json of a folder: import errors, and the others load", async () => {
  await writeSparse("big.json", 600 * 1024 * 1024);
  await writeSparse("big.map", 1200 * 1024 * 1024);
  await writeSparse("big.ts", 600 * 1024 * 1024);
  await mkdir(join(folder, "lib"));
  await writeSparse("lib/package.json", 600 * 1024 * 1024);
  await write("lib/x.ts", "export const x = 1;");
  await write("a.ts", 'import x from "./big.json"; export const a = x;');
  await write("b.ts", `${dagText("b")}//# sourceMappingURL=big.map`);
  await write("c.ts", `import { x } from "./lib/x.ts"; export const c = x;\n${dagText("c")}`);
  await write("d.ts", dagText("d"));
  const processor = createProcessor();
  await processor.processOnce();
  expect(memory.active()).toEqual(expect.arrayContaining(["b@b.ts", "d@d.ts"]));
  expect(memory.errors.get("a.ts")).toMatchObject({
    kind: "too_large",
    file: "a.ts",
    line: 1,
    message: expect.stringMatching(
      /big\.json cannot be read: EFBIG \(it has 629145600 bytes, and at most 16777216 are allowed\)/,
    ),
  });
  expect(memory.errors.get("big.ts")).toMatchObject({ kind: "too_large", message: expect.stringContaining("629145600 bytes") });
  expect(["crash", "memory"]).toContain(memory.errors.get("c.ts")?.kind);
});

test("the inputs of one file have a limit together", async () => {
  const names = ["1", "2", "3", "4", "5"];
  for (const name of names) await writeSparse(`${name}.txt`, 15 * 1024 * 1024);
  await write("a.ts", names.map((name) => `import t${name} from "./${name}.txt"; console.log(t${name});`).join("\n"));
  await createProcessor().processOnce();
  expect(memory.errors.get("a.ts")).toMatchObject({
    kind: "too_large",
    message: expect.stringMatching(/\d\.txt has 15728640 bytes, .* have 78643\d\d\d, more than the 67108864 allowed/),
  });
});

test("errors that multiply their line end at most the bundler's process", async () => {
  const imports = Array.from({ length: 1_000 }, (_, at) => `import "./x${at}";`).join("");
  await write("a.ts", `${imports}/*${"x".repeat(1_000_000)}*/`);
  await write("b.ts", dagText("b"));
  await createProcessor({ memoryMb: 128, dagbagImportTimeoutSec: 5 }).processOnce();
  expect(["crash", "memory", "timeout"]).toContain(memory.errors.get("a.ts")?.kind);
  expect(memory.active()).toEqual(["b@b.ts"]);
});

test("a named pipe as source map, as import, as DAG file behind a link, or as a folder's package.json blocks nothing", async () => {
  makePipe("pipe.map");
  makePipe("x.json");
  makePipe("y.ts");
  await symlink("y.ts", join(folder, "linked.ts"));
  await mkdir(join(folder, "lib"));
  makePipe("lib/package.json");
  await write("lib/x.ts", "export const x = 1;");
  await write("a.ts", `${dagText("a")}//# sourceMappingURL=pipe.map`);
  await write("b.ts", `${dagText("b")}//# sourceMappingURL=pipe.map\n`);
  await write("c.ts", 'import x from "./x.json"; export const c = x;');
  await write("d.ts", 'import { x } from "./lib/x.ts"; export const d = x;');
  await write("e.ts", dagText("e"));
  const processor = createProcessor({ dagbagImportTimeoutSec: 5 });
  await processor.processOnce();
  expect(memory.active()).toEqual(["a@a.ts", "b@b.ts", "e@e.ts"]);
  expect(memory.errors.get("c.ts")).toMatchObject({ kind: "unreadable", message: expect.stringContaining("a named pipe") });
  expect(memory.errors.get("linked.ts")).toMatchObject({ kind: "unreadable", message: expect.stringContaining("EFTYPE") });
  for (const path of ["d.ts", "lib/x.ts"])
    expect(memory.errors.get(path)).toMatchObject({
      kind: "timeout",
      message: expect.stringMatching(/^bundling the file took longer than 5 s/),
    });
  // Not at every scan: each time, it would hold its slot until the time limit.
  const saves = memory.saves.length;
  await processor.processOnce();
  expect(memory.saves.slice(saves)).not.toContain("d.ts!");
});

test("a named pipe as package.json or .baramignore of the DAG folder is an error that names it", async () => {
  await write("a.ts", dagText("a"));
  makePipe("package.json");
  await createProcessor().processOnce();
  expect(memory.errors.get("a.ts")).toMatchObject({ kind: "unreadable", file: "package.json" });
  makePipe(".baramignore");
  await expect(findDagFiles(folder)).rejects.toMatchObject({ code: "EFTYPE", path: join(folder, ".baramignore") });
});

test("source maps are not read, wherever the comment stands; its text in a string stays", async () => {
  const secret = '{"version":3,"sources":["secret.ts"],"names":[],"mappings":"AAAA"}';
  await write("m.map", secret);
  const bundler = createBundler({ memoryMb: 512, timeoutSec: 30 });
  for (const comment of ["//# sourceMappingURL=m.map", "//@ sourceMappingURL=m.map", "/*# sourceMappingURL=m.map */"]) {
    await write("a.ts", `export const text = "//# sourceMappingURL=m.map";\n${comment}\n// the end`);
    const { code, inputs } = await bundler.bundle({ path: "a.ts", root: folder, importFolders: [] });
    expect(code).toContain('"//# sourceMappingURL=m.map"');
    const map = Buffer.from(code.slice(code.lastIndexOf("base64,") + 7), "base64").toString();
    expect(map).not.toContain("secret.ts");
    expect(map).toContain("a.ts");
    expect(inputs).toEqual([join(folder, "a.ts")]);
  }
  await bundler.stop();
});
