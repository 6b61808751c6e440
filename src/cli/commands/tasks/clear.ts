import type { SerializedDag, TaskInstanceState } from "../../../contracts/index.ts";
import { executorNames } from "../../../main/executors.ts";
import { systemUser } from "../../../platform/index.ts";
import { clearRuns, createDagCache, type RunPick } from "../../../scheduler/commands/index.ts";
import { findInstances } from "../../../store/index.ts";
import { notFound, usageError } from "../../errors.ts";
import { instantOf, requireDag } from "../../find-things.ts";
import { formatRows } from "../../output/index.ts";
import { withStore } from "../../session.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputOptions } from "../flags.ts";

export type ClearOptions = OutputOptions & {
  taskRegex?: string;
  startDate?: string;
  endDate?: string;
  runId?: string;
  onlyFailed: boolean;
  onlyRunning: boolean;
  upstream: boolean;
  downstream: boolean;
  past: boolean;
  future: boolean;
  runOnLatestVersion: boolean;
  dryRun: boolean;
  yes: boolean;
};

/** Lists the affected task instances before it asks; clears all of them or none. */
export function clearTasks(terminal: Terminal, dagId: string, options: ClearOptions): Promise<void> {
  if (options.onlyFailed && options.onlyRunning)
    throw usageError("--only-failed and --only-running exclude each other: give one.");
  return withStore(terminal, async (session) => {
    const { store } = session;
    const { dag } = await requireDag(store, dagId);
    const request = {
      dagId,
      by: { user: systemUser() },
      runs: pickRuns(dag.timezone, options),
      taskIds: options.taskRegex === undefined ? null : pickTasks(dag, options.taskRegex),
      directions: { upstream: options.upstream, downstream: options.downstream },
      states: statesOf(options),
      resetRuns: true,
      preventRunning: false,
      onLatestVersion: options.runOnLatestVersion ? { defaultExecutor: executorNames(session.config)[0] ?? "" } : null,
    };
    tellSpan(terminal, request.runs);
    const cache = createDagCache();
    const concerned = await clearRuns(store, cache, { ...request, dryRun: true });
    const rows = (await findInstances(store, concerned)).map((one) => ({
      dag_id: one.dagId,
      run_id: one.runId,
      task_id: one.taskId,
      map_index: one.mapIndex,
      state: one.state,
    }));
    terminal.print(formatRows(rows, ["dag_id", "run_id", "task_id", "map_index", "state"], options.output));
    if (options.dryRun || concerned.length === 0) return;
    await terminal.confirm(`These ${concerned.length} task instance(s) will be cleared. Continue?`, options.yes);
    const cleared = await clearRuns(store, cache, { ...request, dryRun: false });
    await session.audit({ event: "cli_task_clear", dagId, extra: { count: cleared.length } });
    terminal.note(`Cleared ${cleared.length} task instance(s).`);
  });
}

/** What the dates were understood as, which their text alone does not say: a zone, a whole day. */
function tellSpan(terminal: Terminal, runs: RunPick): void {
  if (runs.kind !== "range" || (runs.from === null && runs.to === null)) return;
  const from = runs.from === null ? "" : ` from ${runs.from.toISOString()}`;
  const to = runs.to === null ? "" : ` to ${runs.to.toISOString()}`;
  terminal.note(`Runs with a logical date${from}${to}:`);
}

function pickRuns(zone: string, { runId, startDate, endDate, past, future }: ClearOptions): RunPick {
  if ((past || future) && runId === undefined)
    throw usageError("--past and --future mean the runs before and after one: give --run-id.");
  if (runId === undefined) {
    const from = startDate === undefined ? null : instantOf(startDate, "--start-date", zone);
    const to = endDate === undefined ? null : instantOf(endDate, "--end-date", zone, true);
    if (from && to && to < from)
      throw usageError(`--end-date ${to.toISOString()} is before --start-date ${from.toISOString()}. Swap them.`);
    return { kind: "range", from, to };
  }
  if (startDate !== undefined || endDate !== undefined) throw usageError("--run-id and dates exclude each other: give one.");
  return { kind: "one", runId, past, future };
}

/** A list of exact ids is tried first, so that `load` selects only the task "load", not "unload" too. */
function pickTasks(dag: SerializedDag, text: string): string[] {
  // As a regular expression it would mean every task.
  if (text.trim() === "") throw usageError("--task-regex is empty: name tasks, or leave it out for all of them.");
  const taskIds = dag.tasks.map((task) => task.taskId);
  const named = text.split(",").map((part) => part.trim());
  if (named.every((name) => taskIds.includes(name))) return named;
  let expression: RegExp;
  try {
    expression = new RegExp(text);
  } catch (error) {
    throw usageError(`--task-regex "${text}" is not a regular expression: ${(error as Error).message}.`);
  }
  const found = taskIds.filter((taskId) => expression.test(taskId));
  if (found.length > 0) return found;
  throw notFound("task", `No task of DAG "${dag.dagId}" matches "${text}". See "baram tasks list ${dag.dagId}".`);
}

function statesOf({ onlyFailed, onlyRunning }: ClearOptions): TaskInstanceState[] | null {
  if (onlyFailed) return ["failed", "upstream_failed"];
  return onlyRunning ? ["running"] : null;
}
