import { listInstances } from "../../../store/index.ts";
import { requireRun } from "../../find-things.ts";
import { formatRows } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputOptions } from "../flags.ts";

const EVERY = 1_000_000;

export function listStates(terminal: Terminal, dagId: string, runText: string, { output }: OutputOptions): Promise<void> {
  return withStore(terminal, async (session) => {
    const run = await requireRun(session, dagId, runText);
    const page = { limit: EVERY, offset: 0, order: [] };
    const { rows } = await listInstances(session.store, { dagRunId: run.id, ranges: {} }, page);
    const isMapped = rows.some((row) => row.mapIndex >= 0);
    const shown = rows.map((row) => ({
      dag_id: dagId,
      logical_date: row.logicalDate,
      run_id: row.runId,
      task_id: row.taskId,
      map_index: row.mapIndex,
      state: row.state,
      try_number: row.tryNumber,
      executor: row.executor,
      external_executor_id: row.externalExecutorId,
      start_date: row.startDate,
      end_date: row.endDate,
    }));
    const columns = ["dag_id", "logical_date", "task_id", ...(isMapped ? ["map_index"] : []), "state", "start_date", "end_date"];
    terminal.print(formatRows(shown, columns, output));
  });
}
