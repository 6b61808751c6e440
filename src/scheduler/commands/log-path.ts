import { pathSegment } from "../../platform/index.ts";

/** The log of a callback that the platform owes. */
export function callbackLogPathOf(row: { dagId: string; runId: string; id: string }): string {
  return `${pathSegment("dag_id", row.dagId)}/${pathSegment("run_id", row.runId)}/callbacks/${row.id}.log`;
}

/** A try's log, below the log folder and in a log store. */
export function logPathOf(row: { dagId: string; runId: string; taskId: string; mapIndex: number; tryNumber: number }): string {
  return [
    pathSegment("dag_id", row.dagId),
    pathSegment("run_id", row.runId),
    pathSegment("task_id", row.taskId),
    ...(row.mapIndex >= 0 ? [pathSegment("map_index", row.mapIndex)] : []),
    `${pathSegment("attempt", row.tryNumber)}.log`,
  ].join("/");
}
