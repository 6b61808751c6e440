import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { silentLogger } from "../../platform/index.ts";
import { type ApiClient, ApiRefusal } from "./api-client.ts";
import type { Attempt } from "./attempt.ts";
import { startHeartbeat } from "./heartbeat.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "clearTimeout", "clearInterval", "performance", "Date"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const AWAY = new Error("refused");

/** A heartbeat each 5 s of one running try. `post`: the API. */
function beating(post: () => Promise<unknown>, limits: { maxFailed?: number; outageSec?: number } = {}) {
  const attempt = { id: "a", token: "t" } as Attempt;
  const told: string[] = [];
  const atSec = () => Math.round(performance.now() / 1_000) - start;
  const start = Math.round(performance.now() / 1_000);
  const heartbeat = startHeartbeat({
    client: { workerToken: null, post } as unknown as ApiClient,
    logger: silentLogger,
    sec: 5,
    maxFailed: limits.maxFailed ?? 0,
    outageSec: limits.outageSec ?? 600,
    running: () => [attempt],
    onLost: () => told.push(`${atSec()} lost`),
    onOutage: (_attempt, error) => told.push(`${atSec()} ${error === null ? "back" : `outage: ${error}`}`),
    onUnreachable: (_attempt, forSec) => told.push(`${atSec()} unreachable for ${forSec}`),
  });
  return { told, pass: (sec: number) => vi.advanceTimersByTimeAsync(sec * 1_000), stop: heartbeat.stop };
}

const delivered = async () => ({ running: [{ id: "a" }], lost: [] });

test("tries go on through an outage of five minutes, and hear of its begin and its end once", async () => {
  let isAway = true;
  const { told, pass, stop } = beating(async () => (isAway ? Promise.reject(AWAY) : delivered()));
  await pass(300);
  isAway = false;
  await pass(20);
  expect(told).toEqual(["10 outage: refused", "305 back"]);
  stop();
});

test("after the limit they are stopped; it counts from the first heartbeat that was not delivered", async () => {
  const { told, pass, stop } = beating(async () => Promise.reject(AWAY), { outageSec: 60 });
  await pass(64);
  expect(told).toEqual(["10 outage: refused"]);
  await pass(1);
  expect(told.slice(1)).toEqual(["65 unreachable for 60"]);
  stop();
});

test("a count of failed heartbeats can be set as a tighter limit", async () => {
  const { told, pass, stop } = beating(async () => Promise.reject(AWAY), { maxFailed: 3 });
  await pass(15);
  expect(told).toEqual(["10 outage: refused", "15 unreachable for 10"]);
  stop();
});

test("one that fails is no outage, and each success begins a new count", async () => {
  let call = 0;
  const { told, pass, stop } = beating(async () => (++call % 2 === 1 ? Promise.reject(AWAY) : delivered()), { outageSec: 8 });
  await pass(120);
  expect(told).toEqual([]);
  stop();
});

test("an API that says that its database is away is no outage of the API", async () => {
  const { told, pass, stop } = beating(async () => Promise.reject(new ApiRefusal(503, "database_away", "")), { outageSec: 20 });
  await pass(120);
  expect(told).toEqual([]);
  stop();
});

test("a proxy that has no API behind it is an outage, though it answers 503 as well", async () => {
  const page = () => Promise.reject(new ApiRefusal(503, "http_503", "no API", {}, { location: null, title: "503" }));
  const { told, pass, stop } = beating(page, { outageSec: 20 });
  await pass(25);
  expect(told).toEqual(["10 outage: no API", "25 unreachable for 20"]);
  stop();
});

test("a slow answer that is lost says nothing against those that were delivered after it", async () => {
  let call = 0;
  const slow = () => new Promise((_resolve, reject) => setTimeout(() => reject(AWAY), 30_000));
  const { told, pass, stop } = beating(() => (++call <= 5 ? slow() : delivered()), { outageSec: 20 });
  await pass(120);
  expect(told).toEqual([]);
  stop();
});

test("requests that hang count from when they were sent", async () => {
  const hang = () => new Promise((_resolve, reject) => setTimeout(() => reject(AWAY), 30_000));
  const { told, pass, stop } = beating(hang, { outageSec: 60 });
  await pass(64);
  expect(told).toEqual(["40 outage: refused"]);
  await pass(1);
  expect(told.slice(1)).toEqual(["65 unreachable for 60"]);
  stop();
});
