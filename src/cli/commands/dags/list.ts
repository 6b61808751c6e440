import { allImportErrors, listDags } from "../../../store/index.ts";
import { formatRows } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputOptions } from "../flags.ts";

export type ListOptions = OutputOptions & { stale: boolean };

const COLUMNS = ["dag_id", "fileloc", "owners", "is_paused", "schedule", "bundle_name"];
/** The command shows all DAGs; no installation has more than this. */
const EVERY = 1_000_000;

export function listAll(terminal: Terminal, { stale, output }: ListOptions): Promise<void> {
  return withStore(terminal, async ({ store }) => {
    const page = { limit: EVERY, offset: 0, order: [{ key: "dag_id" as const, descending: false }] };
    const { rows } = await listDags(store, { excludeStale: !stale }, page);
    const shown = rows.map((dag) => ({
      dag_id: dag.dagId,
      fileloc: dag.filename,
      owners: dag.owners,
      is_paused: dag.isPaused,
      is_stale: dag.isStale,
      schedule: dag.timetableSummary,
      tags: dag.tags,
      bundle_name: dag.bundleName,
    }));
    terminal.print(formatRows(shown, stale ? [...COLUMNS, "is_stale"] : COLUMNS, output));
    const broken = (await allImportErrors(store)).length;
    if (broken > 0) terminal.note(`${broken} DAG file(s) could not be loaded: see "baram dags list-import-errors".`);
  });
}
