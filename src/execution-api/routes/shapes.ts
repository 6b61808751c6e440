/** Baram's rows in the shapes of Airflow's Task Execution API. */
import type { Connection, DagRunFacts, JsonObject, Resume } from "../../contracts/index.ts";
import type { RunFacts } from "../../store/index.ts";

/** Clients require `consumed_asset_events` and `partition_key`, although Baram has no assets. */
export function dagRunShape(run: RunFacts | DagRunFacts) {
  return {
    dag_id: run.dagId,
    run_id: run.runId,
    logical_date: run.logicalDate,
    data_interval_start: run.dataIntervalStart,
    data_interval_end: run.dataIntervalEnd,
    run_after: run.runAfter,
    start_date: run.startDate,
    end_date: run.endDate,
    clear_number: run.clearNumber,
    run_type: run.runType,
    state: run.state,
    conf: run.conf,
    triggering_user_name: run.triggeringUserName,
    note: run.note,
    consumed_asset_events: [],
    partition_key: null,
  };
}

/** In Airflow's shape `extra` is JSON text. */
export function connectionShape(connection: Connection) {
  return {
    conn_id: connection.connId,
    conn_type: connection.connType,
    host: connection.host,
    schema: connection.schema,
    login: connection.login,
    password: connection.password,
    port: connection.port,
    extra: Object.keys(connection.extra).length === 0 ? null : JSON.stringify(connection.extra),
  };
}

/** As Airflow passes them to the method: the event, or why there is none, among the kwargs. */
export function nextKwargsShape({ kwargs, event, failure }: Resume): JsonObject {
  return failure === null
    ? { ...kwargs, event }
    : { error: failure.kind === "timeout" ? "Trigger timeout" : "Trigger failure", traceback: [failure.message] };
}
