// What one file does to the process that evaluates it, and whether the next file sees it.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeDagFile } from "../../tests/support/dag-processors.ts";
import { createMemoryProcessor, createMemoryStore, dagText } from "../../tests/support/memory-dag-file-store.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "isolation "));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** The first tag of each DAG, after the files were loaded by one slot in the order of their paths. */
async function tagsOf(files: Record<string, string>, options: { filesPerProcess?: number } = {}) {
  for (const [path, text] of Object.entries(files)) await writeDagFile(folder, path, text);
  const memory = createMemoryStore();
  const seen: Record<string, string | undefined> = {};
  const { saveDags } = memory.store;
  memory.store.saveDags = async (save) => {
    for (const { dag } of save.dags) seen[dag.dagId] = dag.tags[0];
    return saveDags(save);
  };
  const processor = createMemoryProcessor(memory, folder, { parsingProcesses: 1, ...options });
  await processor.processOnce();
  await processor.stop();
  expect([...memory.errors]).toEqual([]);
  return seen;
}

const withPid = (id: string) => dagText(id).replace('"t"', "String(process.pid)");

test("one process evaluates several files, or only one with files_per_process = 1", async () => {
  const files = { "a.ts": withPid("a"), "b.ts": withPid("b"), "c.ts": withPid("c") };
  expect(new Set(Object.values(await tagsOf(files))).size).toBe(1);
  expect(new Set(Object.values(await tagsOf(files, { filesPerProcess: 1 }))).size).toBe(3);
  expect(new Set(Object.values(await tagsOf(files, { filesPerProcess: 2 }))).size).toBe(2);
});

const CHANGES = {
  socket: 'import { Socket } from "node:net"; Socket.prototype.write = Socket.prototype.write.bind(null as never);',
  setter: 'Object.defineProperty(Object.prototype, "__proto__", { set() {} });',
  writable: 'import { Writable } from "node:stream"; Writable.prototype.write = () => true;',
  duplex: 'import { Duplex } from "node:stream"; Object.assign(Duplex.prototype, { extra: 1 });',
  emitter:
    'import { EventEmitter } from "node:events"; const { emit } = EventEmitter.prototype; EventEmitter.prototype.emit = function (...all) { return emit.apply(this, all); };',
  buffer:
    "const { toString } = Buffer.prototype; Buffer.prototype.toString = function (...all) { return toString.apply(this, all); };",
  bytes:
    "const { set } = Uint8Array.prototype; Object.getPrototypeOf(Uint8Array).prototype.set = function (...all: never[]) { return set.apply(this, all as never); };",
  timers: 'import timers from "node:timers"; timers.setTimeout = timers.setImmediate as never;',
  promises: 'import { promises } from "node:fs"; promises.readFile = promises.writeFile as never;',
};

test.each(Object.entries(CHANGES))("a change of %s ends the process after the file", async (_what, change) => {
  const { a, b, c } = await tagsOf({ "a.ts": withPid("a"), "b.ts": `${change}\n${withPid("b")}`, "c.ts": withPid("c") });
  expect(a).toBe(b);
  expect(c).not.toBe(b);
});

test("a file that rewrites what a process writes, and hides that it does, reaches no other file", async () => {
  const rewrite = `
import { Socket } from "node:net";
import { Duplex, Writable } from "node:stream";
const forge = (text: string) => text.replaceAll('"leaks":["', '"leaks":[],"x":["').replaceAll('"t"', '"forged"');
for (const of of [Socket.prototype, Duplex.prototype, Writable.prototype] as any[])
  for (const name of ["write", "_write", "_writev", "_writeGeneric"]) {
    const original = of[name];
    if (original)
      of[name] = function (data: any, ...rest: any[]) {
        if (!Buffer.isBuffer(data) || data.length < 4) return original.call(this, data, ...rest);
        const body = Buffer.from(forge(data.subarray(4).toString()));
        const head = Buffer.alloc(4);
        head.writeUInt32BE(body.length);
        return original.call(this, Buffer.concat([head, body]), ...rest);
      };
  }
const { stringify } = JSON;
JSON.stringify = (...all: [any]) => forge(stringify(...all));
`;
  const seen = await tagsOf({ "a.ts": `${rewrite}\n${dagText("a")}`, "b.ts": dagText("b"), "c.ts": dagText("c") });
  expect(seen).toEqual({ a: "t", b: "t", c: "t" });
});
