/**
 * The runs in `set_aside`, mostly none, which statements of a scheduling pass leave out. As an array it is read once per statement,
 * and its length is opaque to the planner, so that the plan is the same as without it.
 */
export const ASIDE_RUNS = "array(select s.dag_run_id from set_aside s where s.kind = 'run')";
export const ASIDE_SCHEDULES = "array(select s.dag_id from set_aside s where s.kind = 'schedule')";
export const ASIDE_BACKFILLS = "array(select s.subject::bigint from set_aside s where s.kind = 'backfill')";

/**
 * The DAG runs to which a pass is restricted while it searches for the one that makes it fail; null = all that are not set aside.
 */
export type Only = readonly number[] | null;
