import { executorNames } from "../../../main/executors.ts";
import { systemUser } from "../../../platform/index.ts";
import { createBackfill, createDagCache, tryBackfill } from "../../../scheduler/commands/index.ts";
import { findBackfill, findDag, type ReprocessBehavior } from "../../../store/index.ts";
import { usageError } from "../../errors.ts";
import { instantOf, readConf, requireDag, requireInstant } from "../../find-things.ts";
import { formatRecord, formatRows } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputOptions } from "../flags.ts";
import { backfillRow } from "./backfill-row.ts";

export type CreateOptions = OutputOptions & {
  dagId: string;
  fromDate: string;
  toDate: string;
  dagRunConf?: string;
  runBackwards: boolean;
  maxActiveRuns: number;
  reprocessBehavior: ReprocessBehavior;
  runOnLatestVersion: boolean;
  dryRun: boolean;
};

export async function createOne(terminal: Terminal, options: CreateOptions): Promise<void> {
  const dagRunConf = options.dagRunConf === undefined ? null : readConf(options.dagRunConf, "--dag-run-conf");
  const fromDate = requireInstant(options.fromDate, "--from-date");
  const toDate = requireInstant(options.toDate, "--to-date");
  await withStore(terminal, async ({ store, config, audit }) => {
    const { dagId } = options;
    const { timezone } = (await requireDag(store, dagId)).dag;
    const from = instantOf(fromDate, "--from-date", timezone);
    const to = instantOf(toDate, "--to-date", timezone, true);
    if (from > to) throw usageError(`--from-date ${from.toISOString()} is after --to-date ${to.toISOString()}. Swap them.`);
    const request = {
      dagId,
      fromDate,
      toDate,
      dagRunConf,
      reprocessBehavior: options.reprocessBehavior,
      maxActiveRuns: options.maxActiveRuns,
      runBackwards: options.runBackwards,
      runOnLatestVersion: options.runOnLatestVersion,
      triggeringUserName: systemUser(),
    };
    const resources = { store, dags: createDagCache(), defaultExecutor: executorNames(config)[0] ?? "" };
    if (options.dryRun) {
      const dates = await tryBackfill(resources, request, new Date());
      const rows = dates.map((date) => ({
        logical_date: date.logicalDate,
        data_interval_start: date.dataIntervalStart,
        data_interval_end: date.dataIntervalEnd,
      }));
      terminal.print(formatRows(rows, ["logical_date", "data_interval_start", "data_interval_end"], options.output));
      return;
    }
    const id = await createBackfill(resources, request, new Date());
    await audit({ event: "cli_backfill_create", dagId, extra: { backfill_id: id } });
    const created = await findBackfill(store, id);
    if (created) terminal.print(formatRecord(backfillRow(created, config), options.output));
    if ((await findDag(store, dagId))?.isPaused)
      terminal.note(`DAG "${dagId}" is paused: the runs of the backfill wait until "baram dags unpause ${dagId}".`);
  });
}
