import type { DagRunState } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

/** `state` null = goes on as it is. `rescan` = an instance was held back, so look again soon. */
export type Evaluation = { id: number; state: DagRunState | null; rescan: boolean };

/** $1 ids, $2 states, $3 rescans, $4 seconds to the next safety scan. */
const statement = {
  name: "record-evaluations",
  text: `
update dag_run r
   set evaluation = r.evaluation + 1, last_scheduling_decision = now(), updated_at = now(),
       state = coalesce(e.state, r.state),
       end_date = case when e.state in ('success', 'failed') then now() else r.end_date end,
       next_scan_at = case when e.state in ('success', 'failed') then null
                           else least(r.timeout_at, now() + make_interval(secs => case when e.rescan then least($4, 5) else $4 end)) end
  from unnest($1::bigint[], $2::text[], $3::boolean[]) as e(id, state, rescan)
 where r.id = e.id`,
};

export async function recordEvaluations(tx: Db, evaluations: readonly Evaluation[], fullScanSec: number): Promise<void> {
  await tx.query(statement, [
    evaluations.map((e) => e.id),
    evaluations.map((e) => e.state),
    evaluations.map((e) => e.rescan),
    fullScanSec,
  ]);
}
