import type { Db } from "../../store.ts";
import { type Listed, matching, type Page, readPage, sql, startingWith } from "../compose.ts";

const orderable = { id: sql`p.pool`, name: sql`p.pool`, pool: sql`p.pool`, slots: sql`p.slots`, description: sql`p.description` };
export type PoolOrderKey = keyof typeof orderable;
export const POOL_ORDER_KEYS = Object.keys(orderable) as PoolOrderKey[];

/** Names only: how full a pool is, is counted by `findPools`. */
export async function listPoolNames(
  db: Db,
  filter: { pattern?: string; prefix?: string },
  page: Page<PoolOrderKey>,
): Promise<Listed<{ pool: string }>> {
  return readPage<{ pool: string }, PoolOrderKey>(db, {
    columns: sql`p.pool`,
    from: sql`slot_pool p`,
    where: [...matching(sql`p.pool`, filter.pattern), ...startingWith(sql`p.pool`, filter.prefix)],
    page,
    orderable,
    tieBreak: [sql`p.pool`],
  });
}
