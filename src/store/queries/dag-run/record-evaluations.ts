import type { DagRunState } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

/** `state` null = unchanged. `rescan` = an instance was held back, so evaluate again soon. */
export type Evaluation = { id: number; state: DagRunState | null; rescan: boolean };

/**
 * $1 ids, $2 states, $3 rescans, $4 seconds to the next safety scan. If the next scan is already between half of $4 and $4 away, it
 * is not moved: as long as no indexed column changes, the update is HOT and writes none of the table's eight indexes.
 */
const statement = {
  name: "record-evaluations",
  text: `
update dag_run r
   set evaluation = r.evaluation + 1, last_scheduling_decision = now(), updated_at = now(),
       state = coalesce(e.state, r.state),
       end_date = case when e.state in ('success', 'failed') then now() else r.end_date end,
       next_scan_at = case when e.state in ('success', 'failed') then null
                           when not e.rescan and r.next_scan_at between now() + make_interval(secs => $4 / 2) and now() + make_interval(secs => $4) then r.next_scan_at
                           else least(r.timeout_at, now() + make_interval(secs => case when e.rescan then least($4, 5) else $4 end)) end
  from unnest($1::bigint[], $2::text[], $3::boolean[]) as e(id, state, rescan)
 where r.id = e.id
returning r.dag_id as "dagId", r.run_id as "runId", e.state, extract(epoch from r.end_date - r.start_date)::float8 as "durationSec",
       case when e.state in ('success', 'failed') and r.run_type = 'scheduled' and r.clear_number = 0 then
         (select extract(epoch from min(coalesce(t.first_start_date, t.start_date)) - r.run_after)::float8
            from task_instance t where t.dag_run_id = r.id and t.hostname is not null) end as "firstTaskDelaySec"`,
};

/** What is measured of a run that ended; `firstTaskDelaySec` null: it was not scheduled, was cleared, or no task of it ran. */
export type MeasuredEnd = {
  dagId: string;
  runId: string;
  state: DagRunState | null;
  durationSec: number | null;
  firstTaskDelaySec: number | null;
};

export async function recordEvaluations(tx: Db, evaluations: readonly Evaluation[], fullScanSec: number): Promise<MeasuredEnd[]> {
  const { rows } = await tx.query<MeasuredEnd>(statement, [
    evaluations.map((e) => e.id),
    evaluations.map((e) => e.state),
    evaluations.map((e) => e.rescan),
    fullScanSec,
  ]);
  return rows.filter((row) => row.state === "success" || row.state === "failed");
}
