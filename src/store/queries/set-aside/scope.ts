/**
 * What a statement of a scheduling pass leaves out: what stands in `set_aside`, which is mostly nothing. As an array, it is read once per
 * statement, and its length is opaque to the planner, so that the plan stays the one without it.
 */
export const ASIDE_RUNS = "array(select s.dag_run_id from set_aside s where s.kind = 'run')";
export const ASIDE_SCHEDULES = "array(select s.dag_id from set_aside s where s.kind = 'schedule')";
export const ASIDE_BACKFILLS = "array(select s.subject::bigint from set_aside s where s.kind = 'backfill')";

/** DAG runs to which a pass is confined when it looks for the one that it fails with; null = all that are not set aside. */
export type Only = readonly number[] | null;
