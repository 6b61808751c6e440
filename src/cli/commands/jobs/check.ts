import { hostname as ownHostname } from "node:os";
import type { JobType } from "../../../contracts/index.ts";
import { aliveJobs } from "../../../store/index.ts";
import { checkFailed, usageError } from "../../errors.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";

export type CheckOptions = { jobType?: JobType; hostname?: string; local: boolean; limit: number; allowMultiple: boolean };

export async function checkJobs(terminal: Terminal, options: CheckOptions): Promise<void> {
  if (options.allowMultiple && options.limit === 1) throw usageError("--allow-multiple needs a --limit other than 1.");
  if (options.local && options.hostname !== undefined) throw usageError("--local and --hostname exclude each other: give one.");
  await withStore(terminal, async ({ store, config }) => {
    const alive = await aliveJobs(store, {
      type: options.jobType ?? null,
      hostname: options.local ? ownHostname() : (options.hostname ?? null),
      silentForSec: config.scheduler.scheduler_health_check_threshold,
      limit: options.limit === 0 ? null : options.limit,
    });
    if (alive.length === 0) throw checkFailed("No alive jobs found.");
    if (alive.length > 1 && !options.allowMultiple)
      throw checkFailed(`Found ${alive.length} alive jobs, but only one is allowed without --allow-multiple.`);
    terminal.print(alive.length === 1 ? "Found one alive job." : `Found ${alive.length} alive jobs.`);
  });
}
