import { hostname as ownHostname } from "node:os";
import type { JobType } from "../../../contracts/index.ts";
import { healthThresholds } from "../../../main/health/index.ts";
import { listJobs } from "../../../store/index.ts";
import { checkFailed, usageError } from "../../errors.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";

export type CheckOptions = { jobType?: JobType; hostname?: string; local: boolean; limit: number; allowMultiple: boolean };

const LOOKED_AT_MAX = 1_000_000;

export async function checkJobs(terminal: Terminal, options: CheckOptions): Promise<void> {
  if (options.allowMultiple && options.limit === 1) throw usageError("--allow-multiple needs a --limit other than 1.");
  if (options.local && options.hostname !== undefined) throw usageError("--local and --hostname exclude each other: give one.");
  const hostname = options.local ? ownHostname() : options.hostname;
  await withStore(terminal, async ({ store, config }) => {
    const { rows: alive } = await listJobs(
      store,
      {
        isAlive: true,
        aliveWithinSec: healthThresholds(config),
        types: options.jobType ? [options.jobType] : undefined,
        hostnames: hostname === undefined ? undefined : [hostname],
      },
      {
        limit: options.limit === 0 ? LOOKED_AT_MAX : options.limit,
        offset: 0,
        order: [{ key: "latest_heartbeat", descending: true }],
      },
    );
    if (alive.length === 0) throw checkFailed("No alive jobs found.");
    if (alive.length > 1 && !options.allowMultiple)
      throw checkFailed(`Found ${alive.length} alive jobs, but only one is allowed without --allow-multiple.`);
    terminal.print(alive.length === 1 ? "Found one alive job." : `Found ${alive.length} alive jobs.`);
    for (const job of alive) {
      const since = `since ${job.startDate.toISOString()}, last heard of ${job.latestHeartbeat.toISOString()}`;
      terminal.print(`${job.jobType} on ${job.hostname}, process ${job.pid}: alive ${since}`);
    }
  });
}
