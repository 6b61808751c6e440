import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  closeSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { findPackageRoot } from "../platform/index.ts";
import { createApiCarrier } from "./api-carrier.ts";
import { createFolderLogStore, createLayeredLogStore } from "./log-reader.ts";
import { receivePiece } from "./log-receiver.ts";
import { createLogShipper } from "./log-shipper.ts";
import { createFolderSink } from "./log-sink.ts";
import { createLogPlaces, openLogFile, openLogPlace, removeLog } from "./open-log.ts";
import { createS3Carrier } from "./s3/s3-carrier.ts";
import { createThreadedFolderSink } from "./threaded-folder-sink.ts";

const PATH = "dag_id=d/run_id=r/task_id=t/attempt=1.log";
const SECRET = '{"event":"the signing key"}\n';
const SESSION = randomUUID();
let home: string;
let folder: string;
let secret: string;
let log: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "baram-open-log-"));
  folder = join(home, "logs");
  secret = join(home, "attempt=1.log");
  writeFileSync(secret, SECRET);
  log = join(folder, PATH);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const clearWayTo = (path: string) => {
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { recursive: true, force: true });
};
/** What a task may put into the place of its log. */
const BAITS: Readonly<Record<string, () => void>> = {
  "a link to a secret": () => {
    clearWayTo(log);
    symlinkSync(secret, log);
  },
  "a link for its folder": () => {
    clearWayTo(dirname(log));
    symlinkSync(home, dirname(log));
  },
  "a link for a folder above": () => {
    mkdirSync(join(home, "elsewhere/task_id=t"), { recursive: true });
    renameSync(secret, join(home, "elsewhere/task_id=t/attempt=1.log"));
    secret = join(home, "elsewhere/task_id=t/attempt=1.log");
    clearWayTo(join(folder, "dag_id=d/run_id=r"));
    symlinkSync(join(home, "elsewhere"), join(folder, "dag_id=d/run_id=r"));
  },
  "a second name of a secret": () => {
    clearWayTo(log);
    linkSync(secret, log);
  },
  "a pipe": () => {
    clearWayTo(log);
    execFileSync("mkfifo", [log]);
  },
};

const pieceOf = (text: string, isAnew = false) => ({ session: SESSION, offset: 0, text, isEnd: false, isAnew });
/** Everything that writes, ships or reads a log; returns what it has read. */
const USES: Readonly<Record<string, () => Promise<string>>> = {
  "the folder sink": async () => String(await createFolderSink(folder).open(PATH)("more\n")),
  "the threaded sink": async () => {
    const sink = createThreadedFolderSink(folder, join(findPackageRoot(), "dist/task-logs/append-thread.js"));
    return sink
      .open(PATH)("more\n")
      .then(String)
      .finally(() => sink.close());
  },
  "the receiver": async () => JSON.stringify(receivePiece({ folder, maxFileBytes: 1_000 }, PATH, pieceOf("more\n"))),
  "the shipper to the API": async () => {
    const sent: string[] = [];
    const carrier = createApiCarrier(
      async ({ offset, text }) => {
        sent.push(text);
        return { received: offset + Buffer.byteLength(text), isMarked: false };
      },
      () => true,
    );
    return ship(carrier, sent);
  },
  "the shipper to S3": async () => {
    const sent: string[] = [];
    const place = {
      size: async () => null,
      read: async () => null,
      put: async (_: string, body: AsyncIterable<Buffer>) => {
        for await (const chunk of body) sent.push(chunk.toString());
      },
    };
    return ship(createS3Carrier(place, PATH, true), sent);
  },
};

async function ship(carrier: Parameters<typeof createLogShipper>[0]["carrier"], sent: string[]): Promise<string> {
  const faults: Error[] = [];
  // The writer knows the size, and no longer has the text in memory.
  const written = { sizeBytes: SECRET.length, tail: Buffer.alloc(0) };
  const shipper = createLogShipper({
    log: { folder, path: PATH },
    carrier,
    written: () => written,
    onFault: (e) => faults.push(e),
  });
  await shipper.end(0);
  if (faults[0]) throw faults[0];
  return sent.join("");
}

describe.each(Object.keys(BAITS))("%s in the place of a log", (bait) => {
  test.each(Object.keys(USES))("%s refuses it, and touches nothing behind it", async (use) => {
    BAITS[bait]?.();
    const there = readdirSync(dirname(secret));
    await expect(USES[use]?.()).rejects.toThrow(/attempt=1\.log|task_id=t|run_id=r/);
    await expect(USES[use]?.()).rejects.toThrow("neither read nor written: find out who has put it there");
    expect(readFileSync(secret, "utf8")).toBe(SECRET);
    expect(readdirSync(dirname(secret))).toEqual(there);
  });

  test("a reader is told so in the log, and sees nothing of it", async () => {
    BAITS[bait]?.();
    const page = await createFolderLogStore(folder).read(PATH, 0, 1_000);
    expect(page).toMatchObject({ isEnd: true, lines: [{ event: expect.stringContaining("The log is not shown") }] });
    expect(JSON.stringify(page)).not.toContain("signing key");
    const there = Buffer.from('{"event":"there"}\n');
    const remote = {
      source: "s3://x",
      size: async () => there.length,
      read: async (_: string, start: number, end: number) => there.subarray(start, end),
    };
    const both = await createLayeredLogStore(folder, remote).read(PATH, 0, 1_000);
    expect(both.lines?.map((one) => one.event)).toEqual(["there", expect.stringContaining("on this machine is not shown")]);
  });

  test("removing the log leaves what is behind it", async () => {
    BAITS[bait]?.();
    await removeLog(folder, PATH).catch(() => {});
    expect(readFileSync(secret, "utf8")).toBe(SECRET);
    expect(bait.includes("folder") || !existsSync(log)).toBe(true);
  });
});

test("a log that begins moves a link away as a link, and is written to a file of its own", async () => {
  BAITS["a link to a secret"]?.();
  await createFolderSink(folder).open(PATH)("new\n", true);
  expect(readFileSync(log, "utf8")).toBe("new\n");
  expect(readFileSync(secret, "utf8")).toBe(SECRET);
});

test("a link in the place of a mark, or of its draft, is not followed", () => {
  const receive = (offset: number, text: string) =>
    receivePiece({ folder, maxFileBytes: 1_000 }, PATH, { ...pieceOf(text), offset });
  mkdirSync(dirname(log), { recursive: true });
  writeFileSync(log, "of another\n");
  symlinkSync(secret, `${log}.${SESSION}~`);
  expect(receive(0, "mine\n")).toEqual({ received: 5, isMarked: true });
  rmSync(`${log}.${SESSION}`);
  symlinkSync(secret, `${log}.${SESSION}`);
  expect(() => receive(5, "more\n")).toThrow("symbolic link");
  expect(readFileSync(secret, "utf8")).toBe(SECRET);
});

test("a folder that is swapped for a link after it was opened leads nowhere else", () => {
  mkdirSync(dirname(log), { recursive: true });
  const place = openLogPlace(folder, PATH);
  renameSync(dirname(log), `${dirname(log)}.moved`);
  symlinkSync(home, dirname(log));
  const { fd } = openLogFile(place.at(), constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND);
  writeSync(fd, "mine\n");
  closeSync(fd);
  place.close();
  expect(readFileSync(secret, "utf8")).toBe(SECRET);
  expect(readFileSync(join(`${dirname(log)}.moved`, "attempt=1.log"), "utf8")).toBe("mine\n");
});

test("places side by side: their folder may be removed or swapped for a link in between, and stays open until it is released", () => {
  const descriptors = () => readdirSync("/proc/self/fd").length;
  const before = descriptors();
  const places = createLogPlaces(folder);
  const openAndClose = (path: string) => {
    const place = places.open(path, true);
    place.close();
    return place.isFresh;
  };
  expect(openAndClose("dag/run/a/1.log")).toBe(true);
  expect(openAndClose("dag/run/a/2.log")).toBe(false);
  expect(openAndClose("dag/run/b/1.log")).toBe(true);

  rmSync(join(folder, "dag"), { recursive: true });
  expect(openAndClose("dag/run/b/1.log")).toBe(true);
  expect(existsSync(join(folder, "dag/run/b"))).toBe(true);

  rmSync(join(folder, "dag/run"), { recursive: true });
  symlinkSync(home, join(folder, "dag/run"));
  expect(() => places.open("dag/run/c/1.log", true)).toThrow("symbolic link");
  expect(existsSync(join(home, "c"))).toBe(false);
  places.release();
  expect(descriptors()).toBe(before);
});

test("no descriptor is left open, whatever happens", async () => {
  const openNow = () => readdirSync("/proc/self/fd").length;
  const before = openNow();
  for (const bait of Object.keys(BAITS)) {
    rmSync(folder, { recursive: true, force: true });
    if (!existsSync(secret)) writeFileSync(secret, SECRET);
    BAITS[bait]?.();
    const { "the threaded sink": _, ...uses } = USES;
    for (const use of Object.values(uses)) await use().catch(() => {});
    await createFolderLogStore(folder).read(PATH, 0, 10);
  }
  expect(openNow()).toBe(before);
});

test("everything is made for this user alone, whatever the umask", async () => {
  const umask = process.umask(0);
  try {
    await USES["the folder sink"]?.();
    receivePiece({ folder, maxFileBytes: 1_000 }, "a/b.log", { ...pieceOf("x"), session: SESSION });
  } finally {
    process.umask(umask);
  }
  for (const path of ["", "dag_id=d", PATH, "a", "a/b.log"]) expect(statSync(join(folder, path)).mode & 0o077, path).toBe(0);
});
