import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { distFile } from "../main/dist-file.ts";
import { createLogReceiver, type LogReceiver } from "./threaded-log-receiver.ts";

let folder: string;
let receiver: LogReceiver;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "baram-receiver-"));
  receiver = createLogReceiver({ folder, maxFileBytes: 1_000_000 }, distFile("task-logs/receiver-thread.js"));
});
afterEach(() => receiver.close());

const piece = (text: string, session: string = randomUUID()) => ({ session, offset: 0, text, isEnd: true, isAnew: false });

test("the same piece many times at once is written once", async () => {
  const one = { path: "a.log", piece: piece("line\n".repeat(2_000)) };
  const answers = await Promise.all([receiver.append([one, one]), receiver.append([one])]);
  expect(answers.flat()).toEqual(Array.from({ length: 3 }, () => ({ received: 10_000, isMarked: false })));
  expect(readFileSync(join(folder, "a.log"), "utf8")).toBe(one.piece.text);
});

test("a piece that cannot be written is told of, and keeps none beside it from being written", async () => {
  writeFileSync(join(folder, "file"), "");
  const answers = await receiver.append([
    { path: "a.log", piece: piece("a\n") },
    { path: "file/b.log", piece: piece("b\n") },
    { path: "../c.log", piece: piece("c\n") },
    { path: "d.log", piece: piece("d\n") },
  ]);
  expect(answers).toEqual([
    { received: 2, isMarked: false },
    { message: expect.stringContaining("a file in the place of a folder") },
    { message: expect.stringContaining("points outside of the log folder") },
    { received: 2, isMarked: false },
  ]);
});

test("a thread that cannot start fails the call, and the next call tries anew", async () => {
  const entry = join(folder, "thread.mjs");
  const late = createLogReceiver({ folder, maxFileBytes: 1_000_000 }, entry);
  await expect(late.append([{ path: "a.log", piece: piece("a\n") }])).rejects.toThrow();
  writeFileSync(entry, `import ${JSON.stringify(distFile("task-logs/receiver-thread.js"))};`);
  expect(await late.append([{ path: "a.log", piece: piece("a\n") }])).toEqual([{ received: 2, isMarked: false }]);
  await late.close();
});
