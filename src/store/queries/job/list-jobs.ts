import type { JobType } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";
import { type Listed, oneOf, type Page, type Range, readPage, sql, within } from "../compose.ts";

export type ListedJob = {
  id: number;
  jobType: string;
  state: string;
  hostname: string;
  pid: number;
  startDate: Date;
  endDate: Date | null;
  latestHeartbeat: Date;
};

const columns = sql`j.id, j.job_type as "jobType", j.state, j.hostname, j.pid, j.start_date as "startDate", j.end_date as "endDate",
  j.latest_heartbeat as "latestHeartbeat"`;
const orderable = {
  id: sql`j.id`,
  state: sql`j.state`,
  job_type: sql`j.job_type`,
  start_date: sql`j.start_date`,
  end_date: sql`j.end_date`,
  latest_heartbeat: sql`j.latest_heartbeat`,
  hostname: sql`j.hostname`,
};
export type JobOrderKey = keyof typeof orderable;
export const JOB_ORDER_KEYS = Object.keys(orderable) as JobOrderKey[];

export type JobFilter = {
  /** true: running, heard of within its type's `aliveWithinSec`, and its work has not failed for longer; false: all others. */
  isAlive?: boolean;
  aliveWithinSec: Readonly<Record<JobType, number>>;
  types?: readonly string[];
  states?: readonly string[];
  hostnames?: readonly string[];
  startDate?: Range<Date>;
  endDate?: Range<Date>;
};

export async function listJobs(db: Db, filter: JobFilter, page: Page<JobOrderKey>): Promise<Listed<ListedJob>> {
  const where = [
    ...oneOf(sql`j.job_type`, filter.types),
    ...oneOf(sql`j.state`, filter.states),
    ...oneOf(sql`j.hostname`, filter.hostnames),
    ...within(sql`j.start_date`, filter.startDate),
    ...within(sql`j.end_date`, filter.endDate),
  ];
  if (filter.isAlive !== undefined) {
    const limits = sql`${JSON.stringify(filter.aliveWithinSec)}::text::json`;
    const alive = sql`(j.state = 'running' and least(j.latest_heartbeat, j.failing_since) >= now() - make_interval(secs => (${limits} ->> j.job_type)::float8))`;
    where.push(filter.isAlive ? alive : sql`not ${alive}`);
  }
  return readPage<ListedJob, JobOrderKey>(db, { columns, from: sql`job j`, where, page, orderable, tieBreak: [sql`j.id`] });
}
