import { findDag, listBackfills } from "../../../store/index.ts";
import { dagNotFound } from "../../find-things.ts";
import { formatRows } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputOptions } from "../flags.ts";
import { backfillRow } from "./backfill-row.ts";

export type ListOptions = OutputOptions & { dagId?: string; active: boolean; limit: number };

const COLUMNS = ["id", "dag_id", "from_date", "to_date", "dates", "is_paused", "created_at", "completed_at"];

export function listAll(terminal: Terminal, { dagId, active, limit, output }: ListOptions): Promise<void> {
  return withStore(terminal, async ({ store, config }) => {
    if (dagId !== undefined && !(await findDag(store, dagId))) throw dagNotFound(dagId);
    const page = { limit, offset: 0, order: [{ key: "id" as const, descending: true }] };
    const { rows, total } = await listBackfills(store, { dagId, isActive: active }, page);
    terminal.print(
      formatRows(
        rows.map((row) => backfillRow(row, config)),
        COLUMNS,
        output,
      ),
    );
    if (total > rows.length)
      terminal.note(`These are the newest ${rows.length} of ${total} backfills. Raise --limit to see more.`);
  });
}
