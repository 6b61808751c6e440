import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createMasker, findPackageRoot } from "../platform/index.ts";
import type { LogLine } from "./log-line.ts";
import { createFolderLogStore } from "./log-reader.ts";
import { createFolderSink } from "./log-sink.ts";
import { createLogWriter, type LogWriterOptions } from "./log-writer.ts";
import { createThreadedFolderSink } from "./threaded-folder-sink.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "baram logs "));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const PATH = "dag_id=d/run_id=r/task_id=t/attempt=1.log";
const faults: Error[] = [];
const writer = (options: Partial<LogWriterOptions> = {}) => {
  faults.length = 0;
  return createLogWriter({
    sink: createFolderSink(folder),
    path: PATH,
    maxLineBytes: 1_000,
    maxFileBytes: 100_000,
    masker: () => createMasker(),
    onFault: (error) => faults.push(error),
    ...options,
  });
};
const line = (event: string, facts: object = {}): LogLine => ({ timestamp: "t", level: "info", event, ...facts });
const linesOf = () =>
  readFileSync(join(folder, PATH), "utf8")
    .trim()
    .split("\n")
    .map((text) => JSON.parse(text) as LogLine);

test("lines come out in order, one JSON object each; another writer of the same try appends", async () => {
  for (const half of [0, 1]) {
    const log = writer();
    for (let at = 0; at < 500; at++) log.write(line(`line ${half * 500 + at}\nwith a break`));
    await log.flush();
  }
  expect(linesOf().map((one) => one.event)).toEqual(Array.from({ length: 1_000 }, (_, at) => `line ${at}\nwith a break`));
  expect(statSync(join(folder, PATH)).mode & 0o077).toBe(0);
});

test("a long line is cut with a mark; a log at its limit ends with one mark and takes no more", async () => {
  const log = writer({ maxFileBytes: 5_000 });
  for (let at = 0; at < 50; at++) log.write(line("x".repeat(3_000)));
  await log.flush();
  const lines = linesOf();
  expect(lines[0]?.event).toMatch(/^x{1000,1100}… \[line truncated: \d+ more bytes\]$/);
  expect(lines.at(-1)?.event).toContain("log truncated: it reached 5000 bytes");
  expect(lines.filter((one) => one.event.includes("log truncated"))).toHaveLength(1);
  expect(statSync(join(folder, PATH)).size).toBeLessThan(8_000);
});

test("how a try ended is in its log, whatever the task wrote before: above the limit, and behind a flood", async () => {
  const log = writer({ maxFileBytes: 5_000 });
  for (let at = 0; at < 50; at++) log.write(line("x".repeat(3_000)));
  log.write(line("the try ended", { logger: "baram" }));
  log.write(line("more of the task"));
  await log.flush();
  expect(linesOf().at(-1)?.event).toBe("the try ended");
  rmSync(join(folder, PATH));

  // 20 MB in one turn of the event loop: nothing of it is written meanwhile.
  const masker = { ...createMasker(), mask: (text: string) => text };
  const flooded = writer({ maxLineBytes: 100_000, maxFileBytes: 100_000_000, masker: () => masker });
  for (let at = 0; at < 200; at++) flooded.write(line("x".repeat(100_000)));
  flooded.write(line("the try ended", { logger: "baram" }));
  await flooded.flush();
  const events = linesOf().map(({ event }) => event);
  expect(events.at(-2)).toBe("the try ended");
  expect(events.at(-1)).toMatch(/^… \[\d+ lines dropped/);
});

test("secrets are masked in the event and in every fact, also where the mask breaks the JSON around it", async () => {
  const masker = createMasker();
  for (const secret of ["hunter22", 'quo"te\\d', '","event":"']) masker.add(secret);
  const log = writer({ masker: () => masker });
  log.write(line("it is hunter22", { nested: { list: ["hunter22"] }, error: 'say quo"te\\d' }));
  log.write(line('odd ","event":" odd'));
  await log.flush();
  const text = readFileSync(join(folder, PATH), "utf8");
  expect(text).not.toContain("hunter22");
  expect(text).not.toContain("te\\\\d");
  expect(linesOf()[0]).toMatchObject({ event: "it is ***", nested: { list: ["***"] }, error: "say ***" });
  expect(linesOf()).toHaveLength(2);
});

test("a folder that cannot be written is reported, and neither write nor flush throws", async () => {
  writeFileSync(join(folder, "file"), "");
  const log = writer({ sink: createFolderSink(join(folder, "file")) });
  log.write(line("lost"));
  await log.flush();
  log.write(line("lost again"));
  await log.flush();
  expect(faults.length).toBe(2);
});

test("a path that leads out of the folder is refused, for writing and for reading", async () => {
  for (const path of ["../outside.log", "a/../../outside.log", "/etc/passwd", "a\0b", "", "."]) {
    expect(() => writer({ path }), path).toThrow(expect.objectContaining({ code: "log_path_invalid" }));
    await expect(createFolderLogStore(folder).read(path, 0, 10)).rejects.toMatchObject({ code: "log_path_invalid" });
  }
});

test("reading gives whole lines only, and goes on where it stopped", async () => {
  const store = createFolderLogStore(folder);
  expect(await store.read(PATH, 0, 1_000)).toEqual({ lines: null, offset: 0, isEnd: true });
  mkdirSync(join(folder, PATH, ".."), { recursive: true });
  const [one, two] = [line("eins ü"), line("zwei")].map((each) => JSON.stringify(each)) as [string, string];
  appendFileSync(join(folder, PATH), `${one}\n${two.slice(0, 10)}`);
  const first = await store.read(PATH, 0, 1_000);
  expect(first).toMatchObject({ lines: [line("eins ü")], isEnd: true });
  expect(await store.read(PATH, first.offset, 1_000)).toMatchObject({ lines: [], offset: first.offset });
  appendFileSync(join(folder, PATH), `${two.slice(10)}\nno json\n`);
  const second = await store.read(PATH, first.offset, 1_000);
  expect(second.lines?.map((each) => each.event)).toEqual(["zwei", "no json"]);
  expect(await store.read(PATH, second.offset, 1_000)).toMatchObject({ lines: [], isEnd: true });
});

test("pages of any size that holds a line give the whole log", async () => {
  const log = writer();
  for (let at = 0; at < 100; at++) log.write(line(`line ${at}`));
  await log.flush();
  const store = createFolderLogStore(folder);
  const events: string[] = [];
  for (let offset = 0, isEnd = false; !isEnd; ) {
    const page = await store.read(PATH, offset, 200);
    events.push(...(page.lines ?? []).map((each) => each.event));
    ({ offset, isEnd } = page);
  }
  expect(events).toEqual(Array.from({ length: 100 }, (_, at) => `line ${at}`));
});

test("a line longer than a page does not stop the reader for ever", async () => {
  mkdirSync(join(folder, PATH, ".."), { recursive: true });
  appendFileSync(join(folder, PATH), `${JSON.stringify(line("x".repeat(5_000)))}\n${JSON.stringify(line("after"))}\n`);
  const store = createFolderLogStore(folder);
  const events: string[] = [];
  for (let offset = 0, isEnd = false, pages = 0; !isEnd; pages++) {
    expect(pages, "the reader does not move").toBeLessThan(100);
    const page = await store.read(PATH, offset, 100);
    events.push(...(page.lines ?? []).map((each) => each.event));
    ({ offset, isEnd } = page);
  }
  expect(events.at(-1)).toBe("after");
});

test("the thread keeps each log's order, makes folders again that went away, and tells whose text it could not keep", async () => {
  const logs = createThreadedFolderSink(folder, join(findPackageRoot(), "dist/task-logs/append-thread.js"));
  const paths = Array.from({ length: 20 }, (_, at) => `run_id=${at}/attempt=1.log`);
  const opened = paths.map((path) => logs.open(path));
  await Promise.all(Array.from({ length: 50 }, (_, at) => opened.map((append) => append(`${at}\n`))).flat());
  const wanted = Array.from({ length: 50 }, (_, at) => `${at}\n`).join("");
  for (const path of paths) expect(readFileSync(join(folder, path), "utf8")).toBe(wanted);
  expect(statSync(join(folder, paths[0] ?? "")).mode & 0o077).toBe(0);

  rmSync(join(folder, "run_id=0"), { recursive: true });
  writeFileSync(join(folder, "taken"), "");
  const [first, second] = [logs.open("run_id=0/attempt=1.log"), logs.open("taken/attempt=1.log")];
  const [again, refused] = await Promise.allSettled([first("again\n"), second("lost\n")]);
  expect(again).toMatchObject({ status: "fulfilled" });
  expect(refused).toMatchObject({
    status: "rejected",
    reason: expect.objectContaining({ message: expect.stringContaining("a file in the place of a folder") }),
  });
  expect(readFileSync(join(folder, "run_id=0/attempt=1.log"), "utf8")).toBe("again\n");

  // Closing the thread affects no log: later texts are written without it.
  await logs.close();
  await first("after\n");
  expect(readFileSync(join(folder, "run_id=0/attempt=1.log"), "utf8")).toBe("again\nafter\n");
  expect(() => logs.open("../outside.log")).toThrow(expect.objectContaining({ code: "log_path_invalid" }));
});

test("lines that could not be written are counted in the log as soon as it can be", async () => {
  writeFileSync(join(folder, "dag_id=d"), "in the way of the folder");
  const log = writer();
  log.write(line("one"));
  log.write(line("two"));
  await log.flush();
  log.write(line("three"));
  await log.flush();
  expect(faults).toHaveLength(2);
  rmSync(join(folder, "dag_id=d"));
  log.write(line("four"));
  await log.flush();
  await log.flush();
  expect(linesOf().map(({ event }) => event)).toEqual(["four", "… [3 lines lost before this: they could not be written]"]);
});

test("what the writer knows of the file is so: others write between, a text is large, one could not be kept", async () => {
  const log = writer({ maxLineBytes: 100_000, maxFileBytes: 10_000_000 });
  const file = join(folder, PATH);
  const expectTail = (bytes: number) => {
    const { sizeBytes, tail } = log.written();
    const content = readFileSync(file);
    expect(sizeBytes).toBe(content.length);
    expect(tail.length).toBe(bytes);
    expect(tail.equals(content.subarray(content.length - bytes))).toBe(true);
  };
  const add = async (text: string) => {
    const before = log.written();
    log.write(line(text));
    await log.flush();
    expect(log.written()).not.toBe(before);
    return Buffer.byteLength(`${JSON.stringify(line(text))}\n`);
  };
  expect(log.written()).toMatchObject({ sizeBytes: null });
  const [one, two] = [await add("eins ü"), await add("zwei")];
  expectTail(one + two);
  appendFileSync(file, "another's\n");
  const three = await add("drei");
  expectTail(three);
  await add("x".repeat(50_000));
  expectTail(0);
  expectTail(await add("after"));
  rmSync(join(folder, "dag_id=d"), { recursive: true });
  writeFileSync(join(folder, "dag_id=d"), "in the way of the folder");
  await add("lost");
  expect(log.written()).toMatchObject({ sizeBytes: null });
  expect(log.written().tail.length).toBe(0);
});

test.each(["folder sink", "threaded sink"])(
  "a log that begins sets aside what a deleted run of the same id left: %s",
  async (kind) => {
    const threaded =
      kind === "threaded sink"
        ? createThreadedFolderSink(folder, join(findPackageRoot(), "dist/task-logs/append-thread.js"))
        : null;
    const sink = threaded ?? createFolderSink(folder);
    const write = async (event: string, isAnew: boolean) => {
      const log = writer({ sink, isAnew: () => isAnew });
      log.write(line(event));
      await log.flush();
      log.write(line(`${event} goes on`));
      await log.flush();
      return log.written().sizeBytes;
    };
    for (const [event, isAnew] of [
      ["first", true],
      ["first resumed", false],
      ["second", true],
    ] as const)
      await write(event, isAnew);
    expect(linesOf().map((one) => one.event)).toEqual(["second", "second goes on"]);
    expect(
      readFileSync(join(folder, `${PATH}.old`), "utf8")
        .trim()
        .split("\n"),
    ).toHaveLength(4);
    expect(faults).toEqual([]);
    await threaded?.close();
  },
);
