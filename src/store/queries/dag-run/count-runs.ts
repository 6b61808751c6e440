import type { Db } from "../../store.ts";
import { allOf, oneOf, send, sql } from "../compose.ts";

/** A filter that is left out does not restrict. */
export type RunCountFilter = {
  dagId: string;
  logicalDates?: readonly Date[];
  runIds?: readonly string[];
  states?: readonly string[];
};

export async function countRuns(db: Db, filter: RunCountFilter): Promise<number> {
  const where = [sql`r.dag_id = ${filter.dagId}`, ...oneOf(sql`r.run_id`, filter.runIds), ...oneOf(sql`r.state`, filter.states)];
  if (filter.logicalDates) where.push(sql`r.logical_date = any(${[...filter.logicalDates]}::timestamptz[])`);
  const rows = await send<{ count: number }>(db, sql`select count(*)::int as count from dag_run r where ${allOf(where)}`);
  return rows[0]?.count ?? 0;
}
