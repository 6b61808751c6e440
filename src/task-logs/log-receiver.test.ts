import { randomUUID } from "node:crypto";
import { appendFileSync, copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { createLogReceiver, type LogReceiver } from "./log-receiver.ts";

const PATH = "dag_id=d/attempt=1.log";
let folder: string;
let file: string;
let receiver: LogReceiver;
let session: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "baram-receiver-"));
  file = join(folder, PATH);
  receiver = createLogReceiver({ folder, maxFileBytes: 1_000_000 });
  session = randomUUID();
});

const send = (offset: number, text: string, isEnd = false) => receiver.append(PATH, { session, offset, text, isEnd });
const stored = () => readFileSync(file, "utf8");
const mark = () => `${file}.${session}`;

test("pieces join in order, and only the log is left when the stream has ended", async () => {
  expect(await send(0, "é1\n")).toEqual({ received: 4 });
  expect(await send(4, "two\n")).toEqual({ received: 8 });
  expect(await send(8, "", true)).toEqual({ received: 8 });
  expect(stored()).toBe("é1\ntwo\n");
  expect(readdirSync(join(folder, "dag_id=d"))).toEqual(["attempt=1.log"]);
});

test("a piece that is sent again, or overlaps what is there, writes only what is new, also when the receiver was restarted", async () => {
  await send(0, "one\n");
  receiver = createLogReceiver({ folder, maxFileBytes: 1_000_000 });
  expect(await send(0, "one\n")).toEqual({ received: 4 });
  expect(await send(0, "one\ntwo\n")).toEqual({ received: 8 });
  expect(stored()).toBe("one\ntwo\n");
});

test("a piece beyond what has arrived is not written, and the sender hears where to go on", async () => {
  await send(0, "one\n");
  expect(await send(8, "three\n")).toEqual({ received: 4 });
  expect(stored()).toBe("one\n");
});

test("the same piece twice at once is written once", async () => {
  const text = "line\n".repeat(2_000);
  await Promise.all([send(0, text), send(0, text), send(0, text)]);
  expect(stored()).toBe(text);
});

test("a crash between a piece and its mark, or in the middle of a piece, writes nothing twice", async () => {
  await send(0, "one\n");
  copyFileSync(mark(), `${folder}/before`);
  await send(4, "two\nthree\n");
  copyFileSync(`${folder}/before`, mark());
  expect(await send(4, "two\nthree\n")).toEqual({ received: 14 });
  expect(stored()).toBe("one\ntwo\nthree\n");

  copyFileSync(`${folder}/before`, mark());
  truncateSync(file, 6);
  expect(await send(4, "two\nthree\n")).toEqual({ received: 14 });
  expect(stored()).toBe("one\ntwo\nthree\n");

  copyFileSync(`${folder}/before`, mark());
  appendFileSync(file, "a note\n");
  expect(await send(4, "two\nthree\n")).toEqual({ received: 14 });
  expect(await send(14, "four\n")).toEqual({ received: 19 });
  expect(stored()).toBe("one\ntwo\nthree\na note\nfour\n");
});

test("what others write to the same log stays, and the stream goes on behind it", async () => {
  await send(0, "one\n");
  appendFileSync(file, "the scheduler ended this try\n");
  expect(await send(4, "two\n")).toEqual({ received: 8 });
  expect(await send(8, "three\n")).toEqual({ received: 14 });
  expect(stored()).toBe("one\nthe scheduler ended this try\ntwo\nthree\n");
});

test("a second worker of the same try goes on behind the first", async () => {
  await send(0, "first\n", true);
  session = randomUUID();
  expect(await send(0, "second\n")).toEqual({ received: 7 });
  expect(stored()).toBe("first\nsecond\n");
});

test("the last piece again, after the end, is known; a stream that began at another server starts over", async () => {
  await send(0, "one\n");
  await send(4, "two\n", true);
  expect(await send(4, "two\n", true)).toEqual({ received: 8 });
  session = randomUUID();
  expect(await send(40, "far\n")).toEqual({ received: 0 });
  expect(stored()).toBe("one\ntwo\n");
  expect(existsSync(mark())).toBe(false);
});

test("a log that is too large is cut at a line end, once, and the sender may go on", async () => {
  receiver = createLogReceiver({ folder, maxFileBytes: 10 });
  const text = "x".repeat(99_999).concat("\n");
  for (let n = 0; n < 20; n++) expect(await send(n * 100_000, text)).toEqual({ received: (n + 1) * 100_000 });
  const lines = stored().trimEnd().split("\n");
  expect(lines).toHaveLength(11);
  expect(JSON.parse(lines.at(-1) ?? "").event).toContain("log truncated");
  expect(stored().length).toBeLessThan(1_048_576 + 1_000);
});

test("a path that leads out of the folder is refused", async () => {
  await expect(receiver.append("../x.log", { session, offset: 0, text: "x", isEnd: false })).rejects.toMatchObject({
    code: "log_path_invalid",
  });
});
