import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { CreateBucketCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type MotoServer, startMotoServer } from "../../../tests/support/moto-server.ts";
import type { Connection } from "../../contracts/index.ts";
import { createLayeredLogStore } from "../log-reader.ts";
import { createLogShipper } from "../log-shipper.ts";
import { createS3Carrier } from "./s3-carrier.ts";
import { createS3Place, parseS3Url, type S3Place } from "./s3-place.ts";

const PATH = "dag_id=d/attempt=1.log";
let moto: MotoServer;
let s3: S3Client;
let place: S3Place;
let folder: string;
const connection: Connection = {
  connId: "logs",
  connType: "aws",
  description: null,
  host: null,
  schema: null,
  login: "key",
  password: "secret",
  port: null,
  extra: { region_name: "us-east-1" },
};

beforeAll(async () => {
  moto = await startMotoServer();
  s3 = new S3Client({
    endpoint: moto.url,
    forcePathStyle: true,
    region: "us-east-1",
    credentials: { accessKeyId: "a", secretAccessKey: "b" },
  });
}, 180_000);
afterAll(() => moto?.stop());
beforeEach(async () => {
  await moto.reset();
  await s3.send(new CreateBucketCommand({ Bucket: "logs" }));
  place = placeWith(connection);
  folder = mkdtempSync(join(tmpdir(), "baram-s3-"));
});

const placeWith = (one: Connection, bucket = "logs") =>
  createS3Place({ bucket, prefix: "team/logs", endpointUrl: moto.url }, async () => one);
const write = (text: string) => {
  mkdirSync(dirname(join(folder, PATH)), { recursive: true });
  appendFileSync(join(folder, PATH), text);
};
const stored = async () => (await place.read(PATH, 0, (await place.size(PATH)) ?? 0))?.toString("utf8");
const line = (event: string) => `${JSON.stringify({ timestamp: "2024-01-31T00:00:00.000Z", level: "info", event })}\n`;
const ship = (mayGoOn = false, onFault: (error: Error) => void = () => {}) =>
  createLogShipper({
    log: { folder, path: PATH },
    carrier: createS3Carrier(place, PATH, mayGoOn),
    // Unknown, since a test may append to the file at any time.
    written: () => ({ sizeBytes: null, tail: Buffer.alloc(0) }),
    onFault,
  });

test("an URL of S3 is a bucket and a prefix, or it is none", () => {
  expect(parseS3Url("s3://my-bucket")).toEqual({ bucket: "my-bucket", prefix: "" });
  expect(parseS3Url("s3://my-bucket/a/b/")).toEqual({ bucket: "my-bucket", prefix: "a/b" });
  for (const url of ["s3://", "s3://B/x", "https://my-bucket", "/logs", "s3:/my-bucket"]) expect(parseS3Url(url), url).toBeNull();
});

test("a log is one object below the prefix, put anew as it grows and at its end", async () => {
  const shipper = ship();
  await shipper.ship();
  expect(await place.size(PATH)).toBeNull();
  write(line("é1"));
  await shipper.ship();
  expect(await stored()).toBe(line("é1"));
  write(line("two"));
  expect(await shipper.end(1_000)).toBe(0);
  expect(await stored()).toBe(line("é1") + line("two"));
  const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: "logs" }));
  expect(Contents?.map(({ Key }) => Key)).toEqual([`team/logs/${PATH}`]);
});

test("the larger the log and the more often it was put, the longer it waits", async () => {
  const carrier = createS3Carrier(place, PATH, false);
  expect(carrier.intervalMs(1_000)).toBe(2_000);
  expect(carrier.intervalMs(100 * 1024 * 1024)).toBe(200_000);
  for (let n = 0; n < 5; n++) {
    write(line("more"));
    await carrier.carry({ folder, path: PATH }, 50 * (n + 1), Buffer.alloc(0), false);
  }
  expect(carrier.intervalMs(1_000)).toBeGreaterThan(5_000);
});

test("a worker that goes on with a try keeps what the one before wrote, and does not double what it has itself", async () => {
  write(line("first worker"));
  await ship().end(1_000);
  rmSync(join(folder, PATH));
  write(line("second worker"));
  expect(await ship(true).end(1_000)).toBe(0);
  expect(await stored()).toBe(line("first worker") + line("second worker"));
  writeFileSync(join(folder, PATH), line("first worker") + line("second worker") + line("same machine"));
  await ship(true).end(1_000);
  expect(await stored()).toBe(line("first worker") + line("second worker") + line("same machine"));
});

test("S3 away: what was written is brought when it is back; what could not be is counted", async () => {
  const faults: string[] = [];
  const shipper = ship(false, (error) => faults.push(error.message));
  const { port } = new URL(moto.url);
  await moto.stop();
  write(line("one"));
  await shipper.ship();
  expect(faults).toHaveLength(1);
  expect(await ship().end(300)).toBe(line("one").length);
  const ended = shipper.end(20_000);
  moto = await startMotoServer({ port: Number(port) });
  await s3.send(new CreateBucketCommand({ Bucket: "logs" }));
  expect(await ended).toBe(0);
  expect(await stored()).toBe(line("one"));
});

test("a bucket that is not there, and a connection that cannot be used, are named", async () => {
  write(line("one"));
  const nowhere = createS3Carrier(placeWith(connection, "elsewhere"), PATH, false);
  await expect(nowhere.carry({ folder, path: PATH }, 9, Buffer.alloc(0), true)).rejects.toMatchObject({ name: "NoSuchBucket" });
  await expect(placeWith(connection, "elsewhere").read(PATH, 0, 9)).rejects.toMatchObject({ name: "NoSuchBucket" });
  const withRole = { ...connection, extra: { role_arn: "arn:aws:iam::1:role/x" } };
  await expect(placeWith(withRole).size(PATH)).rejects.toMatchObject({ code: "log_store_invalid" });
});

test("the reader takes the longer of two copies, joins what differs, and pages through both", async () => {
  const reader = createLayeredLogStore(folder, { ...place, source: "s3://logs/team/logs" });
  expect(await reader.read(PATH, 0, 100)).toEqual({ lines: null, offset: 0, isEnd: true });
  const lines = Array.from({ length: 50 }, (_, n) => line(`line ${n}`));
  write(lines.slice(0, 20).join(""));
  await ship().end(1_000);
  // The local copy is ahead of the remote one.
  write(lines.slice(20).join(""));
  const eventsOf = async (maxBytes: number) => {
    const events: string[] = [];
    for (let offset = 0; ; ) {
      const page = await reader.read(PATH, offset, maxBytes);
      events.push(...(page.lines ?? []).map(({ event }) => event));
      offset = page.offset;
      if (page.isEnd) return events;
    }
  };
  const all = lines.map((_, n) => `line ${n}`);
  expect(await eventsOf(100_000)).toEqual(all);
  // The worker's machine no longer exists, and its log is only in S3.
  await ship().end(1_000);
  rmSync(join(folder, PATH));
  expect(await eventsOf(300)).toEqual(all);
  // The scheduler logged here why it ended the try.
  write(line("the scheduler ended this try"));
  expect(await eventsOf(300)).toEqual([...all, "the scheduler ended this try"]);
});

test("S3 away: what is here is read all the same, with the reason why that may not be all", async () => {
  write(line("here"));
  const nowhere = createS3Place({ bucket: "logs", prefix: "", endpointUrl: "http://127.0.0.1:1" }, async () => connection);
  const page = await createLayeredLogStore(folder, { ...nowhere, source: "s3://logs" }).read(PATH, 0, 100_000);
  expect(page.lines?.map(({ event }) => event)).toEqual([
    "here",
    expect.stringContaining("The log store s3://logs cannot be read"),
  ]);
});
