import { randomUUID } from "node:crypto";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { receivePiece } from "./log-receiver.ts";

const PATH = "dag_id=d/attempt=1.log";
let folder: string;
let file: string;
let maxFileBytes: number;
let session: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "baram-receiver-"));
  file = join(folder, PATH);
  maxFileBytes = 1_000_000;
  session = randomUUID();
});

const send = (offset: number, text: string, isEnd = false, isAnew = false) =>
  receivePiece({ folder, maxFileBytes }, PATH, { session, offset, text, isEnd, isAnew });
const stored = () => readFileSync(file, "utf8");
const mark = () => `${file}.${session}`;
const inPlace = (received: number) => ({ received, isMarked: false });
const marked = (received: number) => ({ received, isMarked: true });

test("pieces join in order, and nothing but the log is ever made", () => {
  expect(send(0, "é1\n")).toEqual(inPlace(4));
  expect(send(0, "é1\ntwo\n")).toEqual(inPlace(8));
  expect(send(4, "two\nthree\n", true)).toEqual(inPlace(14));
  expect(stored()).toBe("é1\ntwo\nthree\n");
  expect(readdirSync(join(folder, "dag_id=d"))).toEqual(["attempt=1.log"]);
});

test("a piece that is sent again, late or in another order writes only what is new", () => {
  send(0, "one\n");
  expect(send(0, "one\n")).toEqual(inPlace(4));
  expect(send(0, "one\ntwo\nthree\n")).toEqual(inPlace(14));
  expect(send(0, "one\n")).toEqual(inPlace(4));
  expect(send(4, "two\nthree\nfour\n")).toEqual(inPlace(19));
  expect(stored()).toBe("one\ntwo\nthree\nfour\n");
});

test("a piece whose place does not show is not written, and the sender starts over; what is there then is not written again", () => {
  send(0, "one\n");
  expect(send(8, "three\nfour\n")).toEqual(inPlace(0));
  expect(send(4, "two\n")).toEqual(inPlace(0));
  expect(stored()).toBe("one\n");
  expect(send(0, "one\ntwo\nthree\nfour\n")).toEqual(inPlace(19));
  expect(stored()).toBe("one\ntwo\nthree\nfour\n");
});

test("a log in one piece whose answer was lost is written once, whoever wrote behind it", () => {
  expect(send(0, "one\ntwo\n", true)).toEqual(inPlace(8));
  expect(send(0, "one\ntwo\n", true)).toEqual(inPlace(8));
  appendFileSync(file, "a note\n");
  expect(send(0, "one\ntwo\n", true)).toEqual(inPlace(8));
  expect(stored()).toBe("one\ntwo\na note\n");
});

test("a crash in the middle of a piece writes nothing twice", () => {
  send(0, "one\n");
  send(0, "one\ntwo\nthree\n");
  truncateSync(file, 6);
  expect(send(0, "one\ntwo\nthree\n")).toEqual(inPlace(14));
  expect(stored()).toBe("one\ntwo\nthree\n");
  truncateSync(file, 2);
  expect(send(0, "one\ntwo\nthree\n", true)).toEqual(inPlace(14));
  expect(stored()).toBe("one\ntwo\nthree\n");
});

test("what others write into the log stays, and the stream goes on behind it, by a mark that goes with the stream's end", () => {
  send(0, '{"event":"one"}\n');
  appendFileSync(file, '{"event":"the scheduler ended this try"}\n');
  expect(send(0, '{"event":"one"}\n{"event":"two"}\n')).toEqual(marked(32));
  expect(send(16, '{"event":"two"}\n{"event":"three"}\n')).toEqual(marked(50));
  appendFileSync(file, "another\n");
  expect(send(32, '{"event":"three"}\nfour\n', true)).toEqual(inPlace(55));
  const events = ["one", "the scheduler ended this try", "two", "three"].map((event) => `{"event":"${event}"}\n`);
  expect(stored()).toBe(`${events.join("")}another\nfour\n`);
  expect(existsSync(mark())).toBe(false);
  expect(send(32, '{"event":"three"}\nfour\n', true).received).toBe(0);
  expect(send(50, "four\n", true)).toEqual(inPlace(55));
});

test("a crash between a marked piece and its mark, or in the middle of the piece, writes nothing twice", () => {
  writeFileSync(join(folder, "before"), "");
  send(0, "other\n", true);
  session = randomUUID();
  expect(send(0, "one\n")).toEqual(marked(4));
  const before = join(folder, "before");
  copyFileSync(mark(), before);
  send(0, "one\ntwo\nthree\n");
  const restore = () => copyFileSync(before, mark());

  restore();
  expect(send(0, "one\ntwo\nthree\n")).toEqual(marked(14));
  expect(stored()).toBe("other\none\ntwo\nthree\n");

  restore();
  truncateSync(file, 12);
  expect(send(0, "one\ntwo\nthree\n")).toEqual(marked(14));
  expect(stored()).toBe("other\none\ntwo\nthree\n");

  restore();
  appendFileSync(file, "a note\n");
  expect(send(0, "one\ntwo\nthree\n")).toEqual(marked(14));
  expect(send(8, "three\nfour\n")).toEqual(marked(19));
  expect(stored()).toBe("other\none\ntwo\nthree\na note\nfour\n");
});

test("a second worker of the same try goes on behind the first", () => {
  send(0, "first\n", true);
  session = randomUUID();
  expect(send(0, "second\n")).toEqual(marked(7));
  expect(send(0, "second\nthird\n", true)).toEqual(inPlace(13));
  expect(stored()).toBe("first\nsecond\nthird\n");
  expect(readdirSync(join(folder, "dag_id=d"))).toEqual(["attempt=1.log"]);
});

test("a log that somebody emptied gets the stream again", () => {
  send(0, "one\ntwo\n");
  truncateSync(file, 0);
  expect(send(4, "two\nthree\n")).toEqual(inPlace(0));
  expect(send(0, "one\ntwo\nthree\n")).toEqual(inPlace(14));
  expect(stored()).toBe("one\ntwo\nthree\n");
});

test("a log that is too large is cut at a line end, once, and the sender may go on", () => {
  maxFileBytes = 10;
  const line = (n: number) => `${n}`.padEnd(49_999, "x").concat("\n");
  for (let n = 1; n < 40; n++) {
    const { received } = send((n - 1) * 50_000, line(n - 1) + line(n), n === 39);
    expect(received).toBe((n + 1) * 50_000);
  }
  const lines = stored().trimEnd().split("\n");
  expect(lines).toHaveLength(21);
  expect(JSON.parse(lines.at(-1) ?? "").event).toContain("log truncated");
  expect(stored().length).toBeLessThan(1_048_576 + 1_000);
  expect(existsSync(mark())).toBe(false);
});

test("a path that leads out of the folder is refused", () => {
  const piece = { session, offset: 0, text: "x", isEnd: false, isAnew: false };
  expect(() => receivePiece({ folder, maxFileBytes }, "../x.log", piece)).toThrow(
    expect.objectContaining({ code: "log_path_invalid" }),
  );
});

test("a stream that begins a log sets aside what is there of another, once, however often its first piece comes", () => {
  send(0, "old one\nold two\n", true);
  session = randomUUID();
  const begin = (offset: number, text: string) => send(offset, text, false, true);
  expect(begin(0, "one\n")).toEqual(inPlace(4));
  expect(begin(0, "one\n")).toEqual(inPlace(4));
  appendFileSync(file, "why it ended\n");
  expect(begin(0, "one\ntwo\n").received).toBe(8);
  expect(begin(4, "two\nthree\n").received).toBe(14);
  expect(stored()).toBe("one\nwhy it ended\ntwo\nthree\n");
  expect(readFileSync(`${file}.old`, "utf8")).toBe("old one\nold two\n");
});

test("a stream that goes on with a log leaves what is there", () => {
  send(0, "before its deferral\n", true);
  session = randomUUID();
  send(0, "after it\n");
  expect(stored()).toBe("before its deferral\nafter it\n");
});
