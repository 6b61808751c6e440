/**
 * All queries and commands of the database. A function's verb says what it answers:
 * - `listX`: one page of X for the API and the CLI, with the total (`Listed`). It takes a filter and a `Page`, and costs what it shows.
 * - `findX`: what the given keys name: one row or null, or the rows of several keys or of one parent. Bounded by what is asked for.
 * - `allX`: every row of something small (connections, variables, pools, import errors).
 * - `countX`: a number.
 * `names.test.ts` checks this.
 */
export * from "./backfill/change-backfill.ts";
export * from "./backfill/complete-backfills.ts";
export * from "./backfill/fill-backfill.ts";
export * from "./backfill/find-backfill.ts";
export * from "./backfill/insert-backfill.ts";
export {
  BACKFILL_ORDER_KEYS,
  type BackfillFacts,
  type BackfillOrderKey,
  findBackfill,
  listBackfills,
} from "./backfill/list-backfills.ts";
export * from "./backfill/run-states.ts";
export * from "./callback/keep-callbacks.ts";
export { COUNT_MAX, type Listed, type Order, type Page, type Range } from "./compose.ts";
export * from "./connection/keep-connections.ts";
export * from "./connection/list-connections.ts";
export * from "./dag/dag-file-listings.ts";
export * from "./dag/delete-dag.ts";
export * from "./dag/find-dag.ts";
export * from "./dag/keep-dag-files.ts";
export * from "./dag/list-dags.ts";
export * from "./dag/list-versions.ts";
export * from "./dag/pause-dag.ts";
export * from "./dag/plan-runs.ts";
export * from "./dag/save-dag.ts";
export * from "./dag/schedule-dags.ts";
export * from "./dag/version-facts.ts";
export * from "./dag-run/change-run.ts";
export * from "./dag-run/claim-runs.ts";
export * from "./dag-run/count-running.ts";
export * from "./dag-run/count-runs.ts";
export * from "./dag-run/create-run.ts";
export * from "./dag-run/find-run.ts";
export * from "./dag-run/give-place.ts";
export * from "./dag-run/lifeless-runs.ts";
export * from "./dag-run/list-runs.ts";
export * from "./dag-run/previous-run.ts";
export * from "./dag-run/record-evaluations.ts";
export * from "./dag-run/repin-run.ts";
export * from "./dag-run/run-progress.ts";
export * from "./dag-run/start-queued-runs.ts";
export * from "./dag-run/task-states.ts";
export * from "./dag-warning/list-dag-warnings.ts";
export * from "./database-now.ts";
export * from "./email-request/keep-email-requests.ts";
export * from "./event-log/list-events.ts";
export * from "./event-log/log-event.ts";
export * from "./import-error/keep-import-errors.ts";
export * from "./import-error/list-import-errors.ts";
export * from "./job/hold-scheduler-lock.ts";
export * from "./job/is-eldest-job.ts";
export * from "./job/keep-job.ts";
export * from "./job/list-jobs.ts";
export * from "./job/signs-of-life.ts";
export { pingDatabase } from "./ping-database.ts";
export * from "./pool/keep-pools.ts";
export * from "./pool/list-pool-names.ts";
export * from "./pool/measure-pools.ts";
export * from "./pool/pool-users.ts";
export * from "./set-aside/keep-set-aside.ts";
export type { Only } from "./set-aside/scope.ts";
export * from "./task-instance/apply-changes.ts";
export * from "./task-instance/beat-tries.ts";
export * from "./task-instance/clear-instances.ts";
export type { NewInstance } from "./task-instance/columns.ts";
export * from "./task-instance/count-by-state.ts";
export * from "./task-instance/count-deferred.ts";
export * from "./task-instance/expand-tasks.ts";
export * from "./task-instance/find-caller.ts";
export * from "./task-instance/find-picture-rows.ts";
export * from "./task-instance/find-stop-reasons.ts";
export * from "./task-instance/find-told-failures.ts";
export * from "./task-instance/find-tries.ts";
export * from "./task-instance/find-tries-of.ts";
export * from "./task-instance/find-try-state.ts";
export * from "./task-instance/finish-tries.ts";
export * from "./task-instance/first-poke.ts";
export * from "./task-instance/forget-rendered-fields.ts";
export * from "./task-instance/forget-results.ts";
export * from "./task-instance/hold-try.ts";
export * from "./task-instance/list-instances.ts";
export * from "./task-instance/name-instance.ts";
export * from "./task-instance/past.ts";
export * from "./task-instance/queue-instances.ts";
export * from "./task-instance/requeue-tries.ts";
export * from "./task-instance/select-candidates.ts";
export * from "./task-instance/select-states.ts";
export * from "./task-instance/set-states.ts";
export * from "./task-instance/skip-tasks.ts";
export * from "./task-instance/start-tries.ts";
export * from "./task-instance/stop-remaining.ts";
export { findUnassignedTasks, reassignInstances, type UnassignedTask } from "./task-instance/unassigned-tasks.ts";
export * from "./task-map/find-elements.ts";
export * from "./task-map/map-lengths.ts";
export * from "./task-map/set-length.ts";
export * from "./trigger/claim-triggers.ts";
export * from "./trigger/fire-triggers.ts";
export * from "./trigger/release-triggers.ts";
export * from "./trigger/time-out-triggers.ts";
export { inSavepoint, tryOut } from "./try-out.ts";
export * from "./user/keep-users.ts";
export * from "./variable/keep-variables.ts";
export * from "./variable/list-variables.ts";
export * from "./worker/beat-worker.ts";
export * from "./worker/list-workers.ts";
export * from "./worker/request-worker-changes.ts";
export * from "./xcom/delete-xcom.ts";
export * from "./xcom/find-skip-decisions.ts";
export * from "./xcom/keep-xcoms.ts";
export * from "./xcom/list-xcoms.ts";
export * from "./xcom/xcom-sequence.ts";
