import { findDagRow } from "../../../store/index.ts";
import { dagNotFound, requireDag } from "../../find-things.ts";
import { formatRecord } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputOptions } from "../flags.ts";

export function showDetails(terminal: Terminal, dagId: string, { output }: OutputOptions): Promise<void> {
  return withStore(terminal, async ({ store }) => {
    const row = await findDagRow(store, dagId);
    if (!row) throw dagNotFound(dagId);
    const { dag, versionNumber } = await requireDag(store, dagId);
    const details = {
      dag_id: row.dagId,
      dag_display_name: row.displayName ?? row.dagId,
      description: row.description,
      is_paused: row.isPaused,
      is_stale: row.isStale,
      bundle_name: row.bundleName,
      relative_fileloc: row.filename,
      latest_dag_version: versionNumber,
      last_parsed_time: row.lastParsedTime,
      owners: row.owners,
      tags: row.tags,
      timetable_summary: dag.scheduleSummary,
      timetable_description: row.timetableSummary,
      timezone: dag.timezone,
      start_date: dag.startDate,
      end_date: dag.endDate,
      catchup: dag.catchup,
      next_dagrun_logical_date: row.nextDagrun,
      next_dagrun_data_interval_start: row.nextDagrunDataIntervalStart,
      next_dagrun_data_interval_end: row.nextDagrunDataIntervalEnd,
      next_dagrun_run_after: row.nextDagrunCreateAfter,
      max_active_runs: row.maxActiveRuns,
      max_active_tasks: row.maxActiveTasks,
      max_consecutive_failed_dag_runs: row.maxConsecutiveFailedDagRuns,
      dag_run_timeout_sec: dag.dagrunTimeoutSec,
      has_import_errors: row.hasImportErrors,
      params: dag.params,
      task_ids: dag.tasks.map((task) => task.taskId),
      doc_md: dag.docMd,
    };
    terminal.print(formatRecord(details, output));
  });
}
