import type { Db } from "../../store.ts";
import { type Listed, matching, oneOf, type Page, readPage, sql } from "../compose.ts";

export const WORKER_STATES = ["running", "draining", "lost", "offline"] as const;

export type ListedWorker = {
  name: string;
  /** `lost`: no heartbeat for too long. */
  state: (typeof WORKER_STATES)[number];
  hostname: string;
  pid: number;
  version: string;
  queues: string[];
  concurrency: number;
  active: number;
  firstOnline: Date;
  lastHeartbeat: Date;
  requestedQueues: string[] | null;
  requestedShutdown: boolean;
};

const orderable = {
  name: sql`w.name`,
  worker_name: sql`w.name`,
  hostname: sql`w.hostname`,
  first_online: sql`w.first_online`,
  last_heartbeat: sql`w.last_heartbeat`,
};
export type WorkerOrderKey = keyof typeof orderable;
export const WORKER_ORDER_KEYS = Object.keys(orderable) as WorkerOrderKey[];

export type WorkerFilter = { name?: string; pattern?: string; states?: readonly string[]; queue?: string };

export async function listWorkers(
  db: Db,
  filter: WorkerFilter,
  page: Page<WorkerOrderKey>,
  lostAfterSec: number,
): Promise<Listed<ListedWorker>> {
  const state = sql`case when w.state <> 'offline' and w.last_heartbeat < now() - make_interval(secs => ${lostAfterSec}) then 'lost' else w.state end`;
  return readPage<ListedWorker, WorkerOrderKey>(db, {
    columns: sql`w.name, ${state} as state, w.hostname, w.pid, w.version, w.queues, w.concurrency, w.active,
      w.first_online as "firstOnline", w.last_heartbeat as "lastHeartbeat", w.wished_queues as "requestedQueues",
      w.wished_shutdown as "requestedShutdown"`,
    from: sql`worker w`,
    where: [
      ...oneOf(sql`w.name`, filter.name === undefined ? undefined : [filter.name]),
      ...matching(sql`w.name`, filter.pattern),
      ...oneOf(state, filter.states),
      ...(filter.queue === undefined ? [] : [sql`${filter.queue} = any(w.queues)`]),
    ],
    page,
    orderable,
    tieBreak: [sql`w.name`],
  });
}
