import { sensitiveNames } from "../../../config/index.ts";
import type { DagRunState } from "../../../contracts/index.ts";
import { createNameRule, hideSecrets } from "../../../platform/index.ts";
import { findDag, listRuns } from "../../../store/index.ts";
import { dagNotFound } from "../../find-things.ts";
import { formatRows } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputOptions } from "../flags.ts";

export type ListRunsOptions = OutputOptions & { state?: DagRunState; limit: number };

const COLUMNS = ["dag_id", "run_id", "state", "run_after", "logical_date", "start_date", "end_date"];

export function listRunsOf(terminal: Terminal, dagId: string, { state, limit, output }: ListRunsOptions): Promise<void> {
  return withStore(terminal, async ({ store, config }) => {
    if (!(await findDag(store, dagId))) throw dagNotFound(dagId);
    const { rows, total } = await listRuns(
      store,
      { dagIds: [dagId], states: state ? [state] : undefined, ranges: {} },
      { limit, offset: 0, order: [{ key: "run_after", descending: true }] },
    );
    const rule = createNameRule(sensitiveNames(config));
    const shown = rows.map((run) => ({
      dag_id: run.dagId,
      run_id: run.runId,
      state: run.state,
      run_type: run.runType,
      run_after: run.runAfter,
      logical_date: run.logicalDate,
      start_date: run.startDate,
      end_date: run.endDate,
      conf: hideSecrets(run.conf, rule),
      note: run.note,
    }));
    terminal.print(formatRows(shown, COLUMNS, output));
    if (total > rows.length) terminal.note(`These are the newest ${rows.length} of ${total} runs. Raise --limit to see more.`);
  });
}
