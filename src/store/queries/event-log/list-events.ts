import type { JsonObject } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";
import { type Listed, matching, type Page, readPage, send, sql } from "../compose.ts";

export type EventRow = {
  id: number;
  when: Date;
  event: string;
  owner: string | null;
  dagId: string | null;
  dagDisplayName: string | null;
  runId: string | null;
  logicalDate: Date | null;
  taskId: string | null;
  mapIndex: number | null;
  tryNumber: number | null;
  extra: JsonObject | null;
};

const columns = sql`l.id, l.dttm as "when", l.event, l.owner, l.dag_id as "dagId", coalesce(d.display_name, l.dag_id) as "dagDisplayName",
  l.run_id as "runId", r.logical_date as "logicalDate", l.task_id as "taskId", l.map_index as "mapIndex", l.try_number as "tryNumber", l.extra`;
const joins = sql`left join dag d on d.dag_id = l.dag_id left join dag_run r on r.dag_id = l.dag_id and r.run_id = l.run_id`;
const from = sql`log l ${joins}`;
const chosen = {
  key: sql`l.id`,
  counted: sql`log l`,
  shown: sql`cross join lateral (select * from log t where t.id = page.id limit 1) l ${joins}`,
};
const orderable = {
  id: sql`l.id`,
  event_log_id: sql`l.id`,
  when: sql`l.dttm`,
  dttm: sql`l.dttm`,
  event: sql`l.event`,
  owner: sql`l.owner`,
  dag_id: sql`l.dag_id`,
  run_id: sql`l.run_id`,
  task_id: sql`l.task_id`,
  logical_date: sql`r.logical_date`,
  extra: sql`l.extra::text`,
};
export type EventOrderKey = keyof typeof orderable;
export const EVENT_ORDER_KEYS = Object.keys(orderable) as EventOrderKey[];

const exact = {
  dag_id: sql`l.dag_id`,
  run_id: sql`l.run_id`,
  task_id: sql`l.task_id`,
  owner: sql`l.owner`,
  event: sql`l.event`,
};
export type EventFilterKey = keyof typeof exact;
export const EVENT_FILTER_KEYS = Object.keys(exact) as EventFilterKey[];

export type EventFilter = {
  equal: Partial<Record<EventFilterKey, string>>;
  patterns: Partial<Record<EventFilterKey, string>>;
  mapIndex?: number;
  tryNumber?: number;
  included?: readonly string[];
  excluded?: readonly string[];
  before?: Date;
  after?: Date;
  /** Without those of connections, variables, pools and users. */
  isOfDagsOnly: boolean;
};

export async function listEvents(db: Db, filter: EventFilter, page: Page<EventOrderKey>): Promise<Listed<EventRow>> {
  const where = [];
  for (const key of EVENT_FILTER_KEYS) {
    const equal = filter.equal[key];
    if (equal !== undefined) where.push(sql`${exact[key]} = ${equal}`);
    where.push(...matching(exact[key], filter.patterns[key]));
  }
  if (filter.mapIndex !== undefined) where.push(sql`l.map_index = ${filter.mapIndex}`);
  if (filter.tryNumber !== undefined) where.push(sql`l.try_number = ${filter.tryNumber}`);
  if (filter.included?.length) where.push(sql`l.event = any(${[...filter.included]}::text[])`);
  if (filter.excluded?.length) where.push(sql`l.event <> all(${[...filter.excluded]}::text[])`);
  if (filter.isOfDagsOnly) where.push(sql`l.dag_id is not null`);
  if (filter.before) where.push(sql`l.dttm <= ${filter.before}`);
  if (filter.after) where.push(sql`l.dttm >= ${filter.after}`);
  const needsRun = page.order.some(({ key }) => key === "logical_date");
  return readPage<EventRow, EventOrderKey>(db, {
    columns,
    from,
    where,
    page,
    orderable,
    tieBreak: [sql`l.id`],
    chosen: { ...chosen, from: needsRun ? from : chosen.counted },
  });
}

export async function findEvent(db: Db, id: number): Promise<EventRow | null> {
  return (await send<EventRow>(db, sql`select ${columns} from ${from} where l.id = ${id}`))[0] ?? null;
}
