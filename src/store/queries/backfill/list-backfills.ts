import type { JsonObject } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";
import { type Listed, oneOf, type Page, readPage, sql } from "../compose.ts";
import type { ReprocessBehavior } from "./insert-backfill.ts";

export type BackfillFacts = {
  id: number;
  dagId: string;
  dagDisplayName: string;
  fromDate: Date;
  toDate: Date;
  dagRunConf: JsonObject | null;
  isPaused: boolean;
  reprocessBehavior: ReprocessBehavior;
  maxActiveRuns: number;
  runBackwards: boolean;
  runOnLatestVersion: boolean;
  triggeringUserName: string | null;
  dateCount: number;
  /** Dates decided so far. */
  filledCount: number;
  createdAt: Date;
  completedAt: Date | null;
  updatedAt: Date;
};

export const BACKFILL_COLUMNS = `b.id, b.dag_id as "dagId", coalesce(d.display_name, b.dag_id) as "dagDisplayName", b.from_date as "fromDate",
  b.to_date as "toDate", b.dag_run_conf as "dagRunConf", b.is_paused as "isPaused", b.reprocess_behavior as "reprocessBehavior",
  b.max_active_runs as "maxActiveRuns", b.run_backwards as "runBackwards", b.run_on_latest_version as "runOnLatestVersion",
  b.triggering_user_name as "triggeringUserName", b.date_count as "dateCount", b.filled_count as "filledCount",
  b.created_at as "createdAt", b.completed_at as "completedAt", b.updated_at as "updatedAt"`;

const orderable = {
  id: sql`b.id`,
  from_date: sql`b.from_date`,
  to_date: sql`b.to_date`,
  is_paused: sql`b.is_paused`,
  max_active_runs: sql`b.max_active_runs`,
  created_at: sql`b.created_at`,
  completed_at: sql`b.completed_at`,
  updated_at: sql`b.updated_at`,
};
export type BackfillOrderKey = keyof typeof orderable;
export const BACKFILL_ORDER_KEYS = Object.keys(orderable) as BackfillOrderKey[];

/** `dagId` left out: of every DAG. */
export async function listBackfills(
  db: Db,
  filter: { dagId?: string; isActive?: boolean },
  page: Page<BackfillOrderKey>,
): Promise<Listed<BackfillFacts>> {
  const where = oneOf(sql`b.dag_id`, filter.dagId === undefined ? undefined : [filter.dagId]);
  if (filter.isActive) where.push(sql`b.completed_at is null`);
  const from = sql`backfill b left join dag d on d.dag_id = b.dag_id`;
  return readPage<BackfillFacts, BackfillOrderKey>(db, {
    columns: sql.raw(BACKFILL_COLUMNS),
    from,
    where,
    page,
    orderable,
    tieBreak: [sql`b.id`],
  });
}

const byId = {
  name: "backfill-by-id",
  text: `select ${BACKFILL_COLUMNS} from backfill b left join dag d on d.dag_id = b.dag_id where b.id = $1`,
};

export async function findBackfill(db: Db, id: number): Promise<BackfillFacts | null> {
  return (await db.query<BackfillFacts>(byId, [id])).rows[0] ?? null;
}
