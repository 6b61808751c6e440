import { NOTE_MAX } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";
import { withLine } from "../dag-run/note-line.ts";

const pause = {
  name: "pause-backfill",
  text: `
with changed as (
  update backfill set is_paused = $2, updated_at = now() where id = $1 and completed_at is null and is_paused <> $2 returning 1
), told as materialized (select pg_notify('baram_scheduler', 'run') from changed where not $2)
select count(*) from told`,
};

/** Call under the backfill's lock. */
export async function setBackfillPaused(tx: Db, id: number, isPaused: boolean): Promise<void> {
  await tx.query(pause, [id, isPaused]);
}

/**
 * $1 backfill, $2 a line for the runs' notes, $3 characters that a note may have. Increments `evaluation`, so that no scheduler uses
 * its picture of a run that was cleared before.
 */
const failQueued = {
  name: "fail-queued-backfill-runs",
  text: `
with queued as materialized (
  select id from dag_run where backfill_id = $1 and state = 'queued' order by id for no key update
)
update dag_run r set state = 'failed', evaluation = evaluation + 1, end_date = now(), next_scan_at = null, updated_at = now(),
       note = ${withLine("r.note", "$2", "$3")}
  from queued where r.id = queued.id and r.state = 'queued'`,
};
const giveUp = {
  name: "give-up-backfill-dates",
  text: `
update backfill_dag_run d set exception_reason = 'unknown'
  from backfill b where b.id = $1 and d.backfill_id = b.id and d.sort_ordinal > b.filled_count`,
};
const end = {
  name: "cancel-backfill",
  text: `
update backfill set is_paused = true, completed_at = now(), updated_at = now(), filled_count = date_count
 where id = $1 and completed_at is null`,
};

/**
 * Cancels the backfill; call under its lock. Its queued runs fail, its running runs go on, and dates not yet filled get no run.
 * `why`: a line for the notes of the runs that fail. Returns how many runs it failed.
 */
export async function cancelBackfillRuns(tx: Db, id: number, why: string): Promise<number> {
  const { rowCount } = await tx.query(failQueued, [id, why, NOTE_MAX]);
  await tx.query(giveUp, [id]);
  await tx.query(end, [id]);
  return rowCount;
}
