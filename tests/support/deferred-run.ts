import { finishTries, type Store } from "../../src/store/index.ts";
import { saveDagFixture } from "./dag-fixture.ts";
import { trigger as triggerRun } from "./scheduler-rig.ts";
import { tryEnd } from "./try-end.ts";

export type GivenDeferral = {
  classpath?: string;
  kwargs?: object;
  isUserDefined?: boolean;
  timeoutSec?: number | null;
  executionTimeoutSec?: number | null;
  priorityWeight?: number;
};

/** Creates a running DAG run whose tasks t0, t1 … are all deferred, without workers. Returns the run's id. */
export async function deferTasks(
  store: Store,
  dagId: string,
  given: readonly GivenDeferral[],
  encrypt: (text: string) => Buffer = (text) => Buffer.from(text),
  dag: object = {},
): Promise<string> {
  const tasks = given.map((one, at) => ({ taskId: `t${at}`, priorityWeight: one.priorityWeight ?? 1, weightRule: "absolute" }));
  await saveDagFixture(store, { dagId, tasks, maxActiveTasks: 100_000, ...dag });
  const runId = await triggerRun(store, dagId);
  await store.query("update dag_run set state = 'running', start_date = now() where dag_id = $1 and run_id = $2", [dagId, runId]);
  const { rows } = await store.query<{ id: string; at: number }>(
    `update task_instance set state = 'running', try_number = 1, start_date = now(), first_start_date = now()
      where dag_id = $1 and run_id = $2 returning id, substr(task_id, 2)::int as at`,
    [dagId, runId],
  );
  const ends = rows.map(({ id, at }) => {
    const one = given[at] ?? {};
    return tryEnd({
      id,
      state: "deferred",
      deferral: {
        classpath: one.classpath ?? "baram.triggers.DateTimeTrigger",
        isUserDefined: one.isUserDefined ?? false,
        kwargs: encrypt(JSON.stringify(one.kwargs ?? { moment: "2999-01-01T00:00:00Z" })),
        timeoutSec: one.timeoutSec ?? null,
        executionTimeoutSec: one.executionTimeoutSec ?? null,
        nextMethod: "executeComplete",
        nextKwargs: encrypt("{}"),
      },
    });
  });
  const ended = await finishTries(store, ends);
  if (ended.length !== given.length) throw new Error(`${ended.length} of ${given.length} tasks were deferred`);
  return runId;
}

export type DeferredRow = {
  taskId: string;
  id: string;
  state: string | null;
  tryNumber: number;
  triggerId: number | null;
  nextMethod: string | null;
  nextFailure: string | null;
};

export async function deferredRows(store: Store, runId: string): Promise<DeferredRow[]> {
  const { rows } = await store.query<DeferredRow>(
    `select task_id as "taskId", id, state, try_number as "tryNumber", trigger_id as "triggerId", next_method as "nextMethod", next_failure as "nextFailure"
       from task_instance where run_id = $1 order by substr(task_id, 2)::int`,
    [runId],
  );
  return rows;
}

export async function countTriggers(store: Store): Promise<number> {
  return (await store.query<{ n: number }>("select count(*)::int as n from trigger")).rows[0]?.n ?? -1;
}
