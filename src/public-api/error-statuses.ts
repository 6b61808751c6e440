/**
 * The HTTP status of each error code. A code that is not listed is a fault of the server: 500, with the reason in the log only.
 */
export const ERROR_STATUSES = {
  // faults in the request
  backfill_impossible: 422,
  body_malformed: 400,
  filter_invalid: 400,
  instant_out_of_bounds: 422,
  log_token_invalid: 400,
  instant_invalid: 400,
  data_interval_invalid: 400,
  logical_date_in_future: 400,
  not_supported: 400,
  note_too_long: 422,
  order_by_unknown: 400,
  update_mask_unknown: 400,
  value_refused: 400,
  request_invalid: 422,
  body_too_large: 413,
  // login and rights
  credentials_wrong: 401,
  token_missing: 401,
  token_invalid: 401,
  token_expired: 401,
  role_too_low: 403,
  attempts_too_many: 429,
  // not found
  route_not_found: 404,
  backfill_not_found: 404,
  connection_not_found: 404,
  dag_not_found: 404,
  dag_run_not_found: 404,
  dag_version_not_found: 404,
  event_log_not_found: 404,
  import_error_not_found: 404,
  pool_not_found: 404,
  task_instance_not_found: 404,
  task_not_found: 404,
  task_not_mapped: 404,
  try_not_found: 404,
  variable_not_found: 404,
  worker_not_found: 404,
  xcom_not_found: 404,
  // conflicts with the current state
  dag_invalid: 409,
  serialized_dag_invalid: 409,
  backfill_completed: 409,
  backfill_running: 409,
  conf_invalid: 400,
  connection_exists: 409,
  dag_run_exists: 409,
  dag_run_running: 409,
  dag_running: 409,
  dag_stale: 409,
  pool_exists: 409,
  pool_in_use: 409,
  pool_protected: 400,
  run_id_refused: 400,
  task_running: 409,
  too_many_runs: 400,
  variable_exists: 409,
  worker_not_running: 409,
  // temporarily unavailable
  database_timeout: 503,
  database_unavailable: 503,
  login_busy: 503,
} as const satisfies Record<string, number>;

export type KnownCode = keyof typeof ERROR_STATUSES;
export type ErrorStatus = (typeof ERROR_STATUSES)[KnownCode] | 500;

export function statusOf(code: string): ErrorStatus {
  return Object.hasOwn(ERROR_STATUSES, code) ? ERROR_STATUSES[code as KnownCode] : 500;
}
