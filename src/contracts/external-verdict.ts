/** State of a DAG run or a task instance. */
export type ExternalState = "success" | "failed" | "skipped" | "upstream_failed" | "running" | "queued" | "scheduled" | "removed";

export type ExternalView = {
  /** Number of runs that the sensor waits for. */
  wantedRuns: number;
  wantedTaskIds: readonly string[] | null;
  looksAtTasks: boolean;
  runs: readonly { runId: string; state: string; tasks: readonly { taskId: string; state: string | null }[] }[];
};

export type ExternalVerdict = { kind: "done" | "waiting" | "skipped" | "failed"; reason: string };

export type ExternalRules = {
  allowedStates?: readonly ExternalState[];
  skippedStates?: readonly ExternalState[];
  failedStates?: readonly ExternalState[];
};

/**
 * Evaluates the states of other runs and tasks for a sensor: one failed or skipped state decides; otherwise all states must be
 * allowed.
 */
export function judgeExternal(view: ExternalView, rules: ExternalRules): ExternalVerdict {
  const allowed: readonly string[] = rules.allowedStates ?? ["success"];
  const skipped: readonly string[] = rules.skippedStates ?? [];
  // A state that the author allows is no failure, even if it is one by default.
  const failed: readonly string[] =
    rules.failedStates ?? ["failed", "upstream_failed"].filter((state) => !allowed.includes(state) && !skipped.includes(state));
  const watched = view.runs.flatMap((run) =>
    view.looksAtTasks
      ? run.tasks.map((task) => ({ name: `task ${task.taskId} of run ${run.runId}`, state: task.state }))
      : [{ name: `run ${run.runId}`, state: run.state }],
  );
  const bad = watched.find(({ state }) => state !== null && failed.includes(state));
  if (bad !== undefined) return { kind: "failed", reason: `${bad.name} is ${bad.state}` };
  const skip = watched.find(({ state }) => state !== null && skipped.includes(state));
  if (skip !== undefined) return { kind: "skipped", reason: `${skip.name} is ${skip.state}` };
  if (view.runs.length < view.wantedRuns) return { kind: "waiting", reason: "there is no such run yet" };
  const absent = view.runs.flatMap((run) =>
    (view.wantedTaskIds ?? []).filter((taskId) => !run.tasks.some((task) => task.taskId === taskId)),
  );
  if (absent.length > 0) return { kind: "waiting", reason: `there is no task ${absent.join(", ")} yet` };
  if (view.looksAtTasks && watched.length === 0) return { kind: "waiting", reason: "there are no such tasks yet" };
  const open = watched.find(({ state }) => state === null || !allowed.includes(state));
  if (open !== undefined) return { kind: "waiting", reason: `${open.name} is ${open.state ?? "not started"}` };
  return { kind: "done", reason: `all of ${watched.length} in state ${allowed.join(" or ")}` };
}
