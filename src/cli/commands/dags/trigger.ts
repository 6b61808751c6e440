import { sensitiveNames } from "../../../config/index.ts";
import { NOTE_MAX, runIdSchema } from "../../../contracts/index.ts";
import { executorNames } from "../../../main/executors.ts";
import { runIdPattern } from "../../../main/run-id-pattern.ts";
import { createNameRule, hideSecrets, systemUser } from "../../../platform/index.ts";
import { checkRunId, createDagCache, createDagRun } from "../../../scheduler/commands/index.ts";
import { findDag, findRun } from "../../../store/index.ts";
import { usageError } from "../../errors.ts";
import { readConf, requireInstant, requireText } from "../../find-things.ts";
import { formatRecord } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import { shown } from "../../shown.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputOptions } from "../flags.ts";

export type TriggerOptions = OutputOptions & {
  conf?: string;
  runId?: string;
  /** false for --no-logical-date. */
  logicalDate?: string | false;
  execDate?: string;
  note?: string;
};

export async function triggerDag(terminal: Terminal, dagId: string, options: TriggerOptions): Promise<void> {
  const conf = readConf(options.conf);
  const checked = runIdSchema.optional().safeParse(options.runId);
  if (!checked.success)
    throw usageError(`--run-id ${shown(options.runId ?? "")} ${checked.error.issues[0]?.message ?? "is not a run id"}.`);
  if (options.note !== undefined) requireText(options.note, "--note", NOTE_MAX);
  const date = options.logicalDate ?? options.execDate;
  const logicalDate = date === false ? null : date === undefined ? "now" : requireInstant(date, "--logical-date");
  await withStore(terminal, async ({ store, config, audit }) => {
    checkRunId(options.runId, runIdPattern(config));
    const created = await createDagRun(
      store,
      createDagCache(),
      executorNames(config)[0] ?? "",
      {
        dagId,
        runId: options.runId,
        logicalDate,
        conf,
        note: options.note ?? null,
        triggeredBy: "cli",
        triggeringUserName: systemUser(),
        mayBeInFuture: config.scheduler.allow_trigger_in_future,
      },
      new Date(),
    );
    await audit({ event: "cli_dag_trigger", dagId, runId: created.runId });
    const run = await findRun(store, dagId, created.runId);
    const row = {
      dag_id: dagId,
      dag_run_id: created.runId,
      state: run?.state ?? "queued",
      run_type: run?.runType ?? "manual",
      logical_date: run?.logicalDate ?? null,
      data_interval_start: run?.dataIntervalStart ?? null,
      data_interval_end: run?.dataIntervalEnd ?? null,
      run_after: run?.runAfter ?? null,
      start_date: run?.startDate ?? null,
      end_date: run?.endDate ?? null,
      conf: hideSecrets(run?.conf ?? conf, createNameRule(sensitiveNames(config))),
      note: run?.note ?? null,
    };
    terminal.print(formatRecord(row, options.output));
    if (run && run.runAfter > new Date()) terminal.note(`The run stays queued until ${run.runAfter.toISOString()}.`);
    if ((await findDag(store, dagId))?.isPaused)
      terminal.note(`DAG "${dagId}" is paused: the run waits until "baram dags unpause ${dagId}".`);
  });
}
