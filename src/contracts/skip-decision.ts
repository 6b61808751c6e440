/**
 * Under this XCom key a branch or a short circuit keeps which tasks it lets go on or skips, in Airflow's own form, so that
 * a downstream task that is cleared alone is skipped again.
 */
export const SKIP_DECISION_KEY = "skipmixin_key";

/** `followed`: of the direct downstream tasks, those that go on. `skipped`: the tasks that do not, at any distance. */
export type SkipDecisionRecord = { followed: string[] } | { skipped: string[] };
