import { executorNames } from "../../../main/executors.ts";
import { listDagWarnings } from "../../../store/index.ts";
import { formatRows } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputOptions } from "../flags.ts";

const SHOWN_MAX = 10_000;

/** Reasons why tasks of loaded DAGs wait: missing pools and executors, and pools that are too small. */
export function listWarnings(terminal: Terminal, { output }: OutputOptions): Promise<void> {
  return withStore(terminal, async ({ store, config }) => {
    const page = { limit: SHOWN_MAX, offset: 0, order: [] };
    const { rows } = await listDagWarnings(store, {}, page, executorNames(config));
    const shown = rows.map((one) => ({
      dag_id: one.dagId,
      warning_type: one.warningType,
      message: one.message,
      timestamp: one.timestamp,
    }));
    terminal.print(formatRows(shown, ["dag_id", "warning_type", "message"], output));
  });
}
