import { appendFileSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createLogShipper, type LogCarrier } from "./log-shipper.ts";
import type { WrittenLog } from "./log-writer.ts";

test("a log that did not grow is carried once, however often it is asked for, and told of once more at its end", async () => {
  const log = { folder: mkdtempSync(join(tmpdir(), "baram-shipper-")), path: "a.log" };
  const carried: [sizeBytes: number, isEnd: boolean][] = [];
  const carrier: LogCarrier = {
    carry: async (_, sizeBytes, __, isEnd) => void carried.push([sizeBytes, isEnd]),
    isHopeless: () => false,
    intervalMs: () => 60_000,
  };
  let written: WrittenLog = { sizeBytes: null, tail: Buffer.alloc(0) };
  const shipper = createLogShipper({ log, carrier, written: () => written, onFault: () => {} });
  const add = (text: string) => {
    appendFileSync(join(log.folder, log.path), text);
    written = { ...written };
  };
  await shipper.ship();
  add("one\n");
  await Promise.all([shipper.ship(), shipper.ship(), shipper.ship()]);
  add("two\n");
  await shipper.ship();
  await shipper.ship();
  expect(await shipper.end(1_000)).toBe(0);
  expect(carried).toEqual([
    [4, false],
    [8, false],
    [8, true],
  ]);
});
