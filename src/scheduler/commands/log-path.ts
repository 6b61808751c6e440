/** The log of a callback that the platform owes. */
export function callbackLogPathOf(row: { dagId: string; runId: string; id: string }): string {
  return `dag_id=${row.dagId}/run_id=${row.runId}/callbacks/${row.id}.log`;
}

/** A try's log, below the log folder; ids are safe path parts by the contract's patterns. */
export function logPathOf(row: { dagId: string; runId: string; taskId: string; mapIndex: number; tryNumber: number }): string {
  const mapped = row.mapIndex >= 0 ? `/map_index=${row.mapIndex}` : "";
  return `dag_id=${row.dagId}/run_id=${row.runId}/task_id=${row.taskId}${mapped}/attempt=${row.tryNumber}.log`;
}
