/**
 * XCom key under which a branch or short circuit stores its decision, in Airflow's format, so that a downstream task that is
 * cleared alone is skipped again.
 */
export const SKIP_DECISION_KEY = "skipmixin_key";

/** `followed`: the direct downstream tasks that are not skipped. `skipped`: the tasks that are skipped, at any distance. */
export type SkipDecisionRecord = { followed: string[] } | { skipped: string[] };
