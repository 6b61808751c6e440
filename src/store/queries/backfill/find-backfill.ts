import type { Db } from "../../store.ts";
import { BACKFILL_COLUMNS, type BackfillFacts } from "./list-backfills.ts";

/**
 * Locks the DAG's row until the transaction ends: no run is created by the schedule or started meanwhile. Runs may still be
 * triggered.
 */
const hold = { name: "hold-dag", text: "select 1 from dag where dag_id = $1 for no key update" };
const dagOf = { name: "backfill-dag", text: `select dag_id as "dagId" from backfill where id = $1` };
const locked = {
  name: "lock-backfill",
  text: `select ${BACKFILL_COLUMNS} from backfill b join dag d on d.dag_id = b.dag_id where b.id = $1 for no key update of b`,
};

export async function holdDag(tx: Db, dagId: string): Promise<void> {
  await tx.query(hold, [dagId]);
}

/** Locks the backfill and, before it, its DAG: under that lock no run is started or created by the schedule. */
export async function lockBackfill(tx: Db, id: number): Promise<BackfillFacts | null> {
  const dagId = (await tx.query<{ dagId: string }>(dagOf, [id])).rows[0]?.dagId;
  if (dagId === undefined) return null;
  await holdDag(tx, dagId);
  return (await tx.query<BackfillFacts>(locked, [id])).rows[0] ?? null;
}
