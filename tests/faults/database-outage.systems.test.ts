/**
 * PostgreSQL is unavailable in the middle of a run of 200 tasks: every role survives it, and so does a task that runs during the
 * outage.
 */
import type { ChildProcess } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readJwtSecret } from "../../src/config/index.ts";
import { createTokens, sleep } from "../../src/platform/index.ts";
import { type Grid, startGrid } from "../support/grid-run.ts";
import { signUserToken } from "../support/user-token.ts";

const LAYERS = 4;
const WIDTH = 50;
const OUTAGE_MS = 60_000;
const STANDSTILL_MS = 15_000;

let grid: Grid;
let roles: ChildProcess[] = [];
let apiUrl = "";
beforeEach(async () => {
  grid = await startGrid({ layers: LAYERS, width: WIDTH });
  const port = await freePort();
  apiUrl = `http://127.0.0.1:${port}`;
  const environment = { BARAM__API__PORT: String(port), BARAM__API__BASE_URL: apiUrl };
  roles = ["api-server", "scheduler", "dag-processor"].map((role) => grid.startRole(role, environment));
  await expect
    .poll(
      () =>
        fetch(`${apiUrl}/api/v2/version`).then(
          (answer) => answer.status,
          () => null,
        ),
      { timeout: 20_000 },
    )
    .toBe(200);
}, 60_000);
afterEach(() => grid.stop(), 60_000);

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const bound = server.address();
      server.close(() => resolve(typeof bound === "object" && bound ? bound.port : 0));
    });
  });
}

/** Requests data that the API reads from the database, until stopped; returns the status codes. */
function keepAsking(token: string): { stop(): Promise<number[]> } {
  const statuses: number[] = [];
  let asking = true;
  const loop = (async () => {
    while (asking) {
      const answer = await fetch(`${apiUrl}/api/v2/dags/grid`, { headers: { authorization: `Bearer ${token}` } });
      await answer.text();
      statuses.push(answer.status);
      await sleep(50);
    }
  })();
  return {
    async stop() {
      asking = false;
      await loop;
      return statuses;
    },
  };
}

async function runThrough(lengthMs: number, outage: () => Promise<void>): Promise<number[]> {
  const tokens = createTokens(readJwtSecret(grid.engine.config));
  const asking = keepAsking(await signUserToken(grid.engine.store, tokens, { username: "outage", role: "admin" }, 600));
  await grid.engine.load({
    "long.ts": `
import { dag, task } from "baram";
export default dag({ dagId: "long", schedule: null, isPausedUponCreation: false }, () => {
  task({ taskId: "long" }, async () => { await new Promise((r) => setTimeout(r, ${lengthMs + 4_000})); return "outlived it"; })();
});`,
  });
  const longId = await grid.engine.trigger("long");
  await expect.poll(() => grid.engine.states("long", longId), { timeout: 20_000 }).toEqual({ long: "running" });
  const runId = await grid.engine.trigger("grid");
  await grid.untilDone(runId, LAYERS * WIDTH * 0.3);
  const pids = roles.map((role) => role.pid);
  await outage();
  expect(await grid.engine.finished("grid", runId, 90_000)).toBe("success");
  // Without retries: if the outage counted as a missed heartbeat, the task would fail.
  expect(await grid.engine.finished("long", longId, 30_000)).toBe("success");
  await grid.check(runId);
  const { rows: lost } = await grid.engine.store.query("select reason from task_instance_history");
  expect(lost, "tries were given up for an outage that was not theirs").toEqual([]);
  expect(roles.map((role) => ({ code: role.exitCode, signal: role.signalCode }))).toEqual(
    roles.map(() => ({ code: null, signal: null })),
  );
  expect(roles.map((role) => role.pid)).toEqual(pids);
  const statuses = await asking.stop();
  expect(statuses.at(-1)).toBe(200);
  return statuses;
}

/** The server and all its backends, which have their own process groups. */
function serverPids(): number[] {
  const postmaster = grid.own.server.pid() ?? 0;
  const children = readdirSync("/proc").filter((name) => {
    try {
      return /^\d+$/.test(name) && Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, "utf8"))?.[1]) === postmaster;
    } catch {
      return false;
    }
  });
  return [postmaster, ...children.map(Number)];
}

test("a PostgreSQL that is shut down and started again a minute later: the API answers 503 meanwhile, no role ends", async () => {
  const statuses = await runThrough(OUTAGE_MS, () => grid.own.awayWhile(() => sleep(OUTAGE_MS)));
  expect(statuses).toContain(503);
  expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
}, 200_000);

test("a PostgreSQL that stands still for 15 s (SIGSTOP): no request fails otherwise than with 503, no role ends", async () => {
  const statuses = await runThrough(STANDSTILL_MS, async () => {
    const pids = serverPids();
    expect(pids.length).toBeGreaterThan(5);
    for (const pid of pids) process.kill(pid, "SIGSTOP");
    await sleep(STANDSTILL_MS);
    for (const pid of pids) process.kill(pid, "SIGCONT");
  });
  expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
}, 200_000);
