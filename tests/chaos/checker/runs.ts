/** I3, I6, I7, I10, I11, I12: invariants of whole runs. */
import { type DagSpec, type Expectation, groupBy, type History, instanceKey, type TaskSpec, TERMINAL } from "./history.ts";
import { endsByTry } from "./tries.ts";

/** I3: every run and every instance has ended, in the state that its DAG specifies, and all callbacks were run. */
export function checkEnds(history: History, expect: Pick<Expectation, "dags" | "isSteered">): string[] {
  const faults: string[] = [];
  for (const run of history.runs)
    if (run.state !== "success" && run.state !== "failed") faults.push(`run ${run.run} is ${run.state}`);
  const wanted = new Map(expect.dags.map((dag) => [dag.dagId, expectedStates(dag)]));
  for (const one of history.instances) {
    if (!TERMINAL.has(one.state ?? "")) faults.push(`${one.instance} is ${one.state ?? "in no state"}`);
    const end = wanted.get(one.run.split("/")[0] ?? "")?.get(one.taskId);
    if (!expect.isSteered && end !== undefined && one.state !== end)
      faults.push(`${one.instance} is ${one.state}, and by its DAG it is ${end}`);
  }
  // At least once: if a scheduler dies, another one may run its callback again.
  for (const { run, state } of history.owedCallbacks) {
    if (state !== "success") faults.push(`the callback that is owed for ${run} is ${state}`);
    if (!history.callbacksRun.includes(run)) faults.push(`the callback that is owed for ${run} never ran`);
  }
  return faults;
}

/** How each task of a DAG ends if only its own failures happen. */
export function expectedStates(dag: DagSpec): Map<string, string> {
  const ends = new Map<string, string>();
  const byId = new Map(dag.tasks.map((task) => [task.taskId, task]));
  const endOf = (task: TaskSpec): string => {
    const known = ends.get(task.taskId);
    if (known) return known;
    const above = task.upstream.map((id) => endOf(byId.get(id) as TaskSpec));
    const isHeld = (task.triggerRule ?? "all_success") === "all_success" && above.some((end) => end !== "success");
    const isEmptyMap = task.mappedOver !== undefined && byId.get(task.mappedOver)?.mapLength === 0;
    const held = above.some((end) => end === "failed" || end === "upstream_failed") ? "upstream_failed" : "skipped";
    const end = isHeld ? held : isEmptyMap ? "skipped" : task.failTries > task.retries ? "failed" : "success";
    ends.set(task.taskId, end);
    return end;
  };
  for (const task of dag.tasks) endOf(task);
  return ends;
}

/** I6: one run per (DAG, logical date), and no date skipped between the first and the last. */
export function checkRuns(history: History, { intervalMs }: Pick<Expectation, "intervalMs">): string[] {
  const faults: string[] = [];
  const scheduled = history.runs.filter((run) => run.logicalDateMs !== null && run.runType === "scheduled");
  for (const [dagId, runs] of groupBy(scheduled, (run) => run.dagId)) {
    const dates = runs.map((run) => run.logicalDateMs ?? 0).sort((a, b) => a - b);
    for (let at = 1; at < dates.length; at++) {
      const step = (dates[at] ?? 0) - (dates[at - 1] ?? 0);
      const date = new Date(dates[at] ?? 0).toISOString();
      if (step === 0) faults.push(`${dagId} has two runs of ${date}`);
      else if (intervalMs !== null && step !== intervalMs)
        faults.push(`${dagId} has a gap of ${step / intervalMs - 1} runs before ${date}`);
    }
  }
  return faults;
}

/** I7: no task starts before its trigger rule holds, according to the database and to the tasks' trace. */
export function checkTriggerRules(history: History, expect: Pick<Expectation, "dags" | "isSteered">): string[] {
  const faults: string[] = [];
  const dags = new Map(expect.dags.map((dag) => [dag.dagId, new Map(dag.tasks.map((task) => [task.taskId, task]))]));
  const state = new Map<string, string | null>();
  /** For a mapped task, the states of its instances; the row that represented it before the expansion is the first of them. */
  const statesOf = (run: string, taskId: string): (string | null)[] => {
    const isMapped = dags.get(run.split("/")[0] ?? "")?.get(taskId)?.mappedOver !== undefined;
    const mapped = isMapped ? [...state].filter(([key]) => key.startsWith(`${run}/${taskId}[`) && !key.endsWith("[-1]")) : [];
    return mapped.length > 0 ? mapped.map(([, one]) => one) : [state.get(instanceKey(run, taskId, -1)) ?? null];
  };
  for (const one of history.transitions) {
    if (one.from === null && one.to === "scheduled" && one.oldId !== null && !expect.isSteered) {
      const spec = dags.get(one.run.split("/")[0] ?? "")?.get(one.taskId);
      for (const up of spec?.upstream ?? [])
        for (const seen of statesOf(one.run, up)) {
          const holds = spec?.triggerRule === "all_done" ? TERMINAL.has(seen ?? "") : seen === "success";
          if (!holds) faults.push(`${one.instance} was scheduled while ${up} was ${seen ?? "in no state"}`);
        }
    }
    state.set(one.instance, one.to);
  }
  if (expect.isSteered) return faults;
  const accepted = new Map(history.instances.filter((one) => one.state === "success").map((one) => [one.instance, one.id]));
  const endOf = new Map<string, number>();
  for (const line of history.trace) {
    const instance = instanceKey(`${line.dag}/${line.run}`, line.task, line.mapIndex);
    if (line.what === "end" && accepted.get(instance) === line.tryId) endOf.set(instance, line.monotonicMs);
  }
  for (const line of history.trace) {
    if (line.what !== "start") continue;
    for (const up of dags.get(line.dag)?.get(line.task)?.upstream ?? []) {
      const end = endOf.get(instanceKey(`${line.dag}/${line.run}`, up, -1));
      if (end !== undefined && end > line.monotonicMs)
        faults.push(`${line.run}/${line.task} started ${Math.round(end - line.monotonicMs)} ms before ${up} ended`);
    }
  }
  return faults;
}

/** I10: the last run ended within the bound after the last fault. */
export function checkRecovery(history: History, expect: Pick<Expectation, "faultsEndedMs" | "recoverySec">): string[] {
  const last = Math.max(0, ...history.runs.map((run) => run.endMs ?? 0));
  const took = (last - expect.faultsEndedMs) / 1_000;
  return took > expect.recoverySec
    ? [`the last run ended ${took.toFixed(1)} s after the last fault; the bound is ${expect.recoverySec} s`]
    : [];
}

/** I11: the accepted try's XCom and log are complete, and no log contains lines of another try. */
export function checkOutputs(history: History, { isSteered }: Pick<Expectation, "isSteered">): string[] {
  const faults: string[] = [];
  const ends = new Set(history.trace.filter((line) => line.what === "end").map((line) => line.tryId));
  const xcoms = new Map(history.xcoms.filter((one) => one.key === "return_value").map((one) => [one.instance, one.value]));
  for (const one of history.instances) {
    if (one.state !== "success") continue;
    const value = xcoms.get(one.instance) as { tryId?: string } | undefined;
    // Marked by hand, before or while its try ran: the outputs are those of an earlier try, or there are none.
    if (isSteered && value?.tryId !== one.id) continue;
    if (!ends.has(one.id)) faults.push(`${one.instance} is a success whose try ${one.id} never came to its end`);
    if (value?.tryId !== one.id) faults.push(`the XCom of ${one.instance} is not its accepted try's: ${JSON.stringify(value)}`);
    const log = history.logs.get(`${one.instance}#${one.tryNumber}`);
    if (log === undefined) {
      if (history.logs.size > 0) faults.push(`${one.instance} has no log of try ${one.tryNumber}`);
      continue;
    }
    for (const mark of ["begins", "ends"])
      if (!log.includes(`${one.id} ${mark}`)) faults.push(`the log of ${one.instance}#${one.tryNumber} lacks its line "${mark}"`);
    for (const [, other] of log.matchAll(/([0-9a-f-]{36}) (?:begins|ends)/g))
      if (other !== one.id) faults.push(`the log of ${one.instance}#${one.tryNumber} holds lines of try ${other}`);
  }
  return faults;
}

const OUTCOMES: Readonly<Record<string, readonly string[]>> = {
  success: ["success"],
  failed: ["failed", "up_for_retry"],
  skipped: ["skipped"],
  up_for_reschedule: ["up_for_reschedule"],
  deferred: ["deferred"],
};

/**
 * I12: every start, end and run that the API acknowledged is in the database. If somebody has already set a try to the reported
 * end state by hand, the report counts as repeated, whatever the state was before.
 */
export function checkAcknowledged(history: History, { isSteered }: Pick<Expectation, "isSteered">): string[] {
  const faults: string[] = [];
  const ends = endsByTry(history);
  const marked = new Set(history.transitions.map((one) => `${one.newId} ${one.to}`));
  const has = (tryId: string, state: string) => ends.get(tryId) === state || (isSteered && marked.has(`${tryId} ${state}`));
  const started = new Set(history.transitions.filter((one) => one.to === "running").map((one) => one.newId));
  for (const one of history.acknowledged) {
    if (one.status !== 200) continue;
    if (one.op === "start" && !started.has(one.tryId))
      faults.push(`the start of try ${one.tryId} was acknowledged and is not there`);
    if (one.op === "finish" && !OUTCOMES[one.outcome ?? ""]?.some((state) => has(one.tryId, state)))
      faults.push(
        `the end (${one.outcome}) of try ${one.tryId} was acknowledged; the database has ${ends.get(one.tryId) ?? "none"}`,
      );
  }
  const runs = new Set(history.runs.map((run) => run.run));
  for (const run of history.acknowledgedRuns) if (!runs.has(run)) faults.push(`run ${run} was acknowledged and is not there`);
  return faults;
}
