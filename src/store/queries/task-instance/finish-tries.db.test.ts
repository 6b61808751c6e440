import { afterAll, beforeAll, expect, test } from "vitest";
import { saveDagFixture } from "../../../../tests/support/dag-fixture.ts";
import { createTestDatabase, type TestDatabase } from "../../../../tests/support/database.ts";
import { trigger } from "../../../../tests/support/scheduler-rig.ts";
import { tryEnd } from "../../../../tests/support/try-end.ts";
import { finishTries, type TryEnd } from "../../index.ts";

/** Each task's try ends with something else to be written. */
const ENDS: Readonly<Record<string, Partial<TryEnd>>> = {
  plain: { state: "success" },
  retried: { state: "up_for_retry", nextAttemptInSec: 60, reason: "Error: once" },
  deferred: {
    state: "deferred",
    deferral: {
      classpath: "baram.TimeTrigger",
      isUserDefined: false,
      kwargs: Buffer.from("k"),
      timeoutSec: 5,
      executionTimeoutSec: null,
      nextMethod: "next",
      nextKwargs: Buffer.from("n"),
    },
  },
  measured: { state: "success", mapLength: 3, renderedMapIndex: "third" },
  pushing: { state: "success", xcoms: [{ key: "return_value", value: { a: 1 } }] },
  rendered: { state: "skipped", reason: "nothing to do", renderedFields: { command: "echo" } },
};
const TASKS = Object.keys(ENDS);

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
  await saveDagFixture(database.store, { dagId: "d", tasks: TASKS.map((taskId) => ({ taskId })) });
});
afterAll(() => database.drop());

type InstanceFacts = {
  taskId: string;
  id: string;
  state: string;
  isDue: boolean;
  label: string | null;
  method: string | null;
  classpath: string | null;
  hasTimeout: boolean;
};

async function instances(): Promise<Record<string, InstanceFacts>> {
  const { rows } = await database.store.query<InstanceFacts>(
    `select ti.task_id as "taskId", ti.id, ti.state, ti.next_attempt_at > now() as "isDue", ti.rendered_map_index as label,
            ti.next_method as method, t.classpath, ti.trigger_timeout is not null as "hasTimeout"
       from task_instance ti left join trigger t on t.id = ti.trigger_id`,
  );
  return Object.fromEntries(rows.map((row) => [row.taskId, row]));
}

const tasksIn = async (table: string, more = "") =>
  (
    await database.store.query<{ row: string }>(`select concat_ws(' ', task_id ${more}) as row from ${table} order by task_id`)
  ).rows.map(({ row }) => row);

test("whatever ends come together, each is recorded with all that it brings along, and nothing is written for the others", async () => {
  for (let bits = 1; bits < 2 ** TASKS.length; bits++) {
    await database.store.query("delete from dag_run");
    await trigger(database.store, "d");
    await database.store.query(
      "update task_instance set state = 'running', try_number = 1, start_date = now(), last_heartbeat_at = now()",
    );
    const before = await instances();
    const chosen = TASKS.filter((_, at) => bits & (1 << at));
    const given = chosen.map((taskId) => tryEnd({ state: "success", ...ENDS[taskId], id: before[taskId]?.id ?? "" }));
    const finished = await finishTries(database.store, given);
    const among = chosen.join(", ");
    expect(finished.map(({ id, taskId, state }) => [taskId, id, state]).sort(), among).toEqual(
      chosen.map((taskId) => [taskId, before[taskId]?.id, ENDS[taskId]?.state]).sort(),
    );
    const after = await instances();
    for (const taskId of TASKS) {
      const isChosen = chosen.includes(taskId);
      const end = isChosen ? ENDS[taskId] : undefined;
      expect(after[taskId], `${taskId} of ${among}`).toMatchObject({
        state: end?.state ?? "running",
        isDue: end?.nextAttemptInSec ? true : null,
        label: end?.renderedMapIndex ?? null,
        method: end?.deferral?.nextMethod ?? null,
        classpath: end?.deferral?.classpath ?? null,
        hasTimeout: end?.deferral !== undefined,
      });
      expect(after[taskId]?.id !== before[taskId]?.id, taskId).toBe(end?.state === "up_for_retry" || end?.state === "deferred");
    }
    const only = (taskId: string, row: string) => (chosen.includes(taskId) ? [row] : []);
    expect(await tasksIn("task_instance_history", ", state, reason"), among).toEqual(
      only("retried", "retried failed Error: once"),
    );
    expect(await tasksIn("task_map", ", length"), among).toEqual(only("measured", "measured 3"));
    expect(await tasksIn("xcom", ", key, value"), among).toEqual(only("pushing", 'pushing return_value {"a":1}'));
    expect(await tasksIn("rendered_task_instance_fields", ", fields"), among).toEqual(
      only("rendered", 'rendered {"command":"echo"}'),
    );
    expect(await tasksIn("task_event", ", state"), among).toEqual(
      chosen.map((taskId) => `${taskId} ${ENDS[taskId]?.state}`).sort(),
    );
  }
}, 60_000);

test("a try that is not in a state that may be left, or is heard of, is left as it is", async () => {
  await database.store.query("delete from dag_run");
  await trigger(database.store, "d");
  await database.store.query("update task_instance set state = 'running', last_heartbeat_at = now()");
  await database.store.query("update task_instance set state = 'queued' where task_id = 'plain'");
  await database.store.query("update task_instance set last_heartbeat_at = now() - interval '1 hour' where task_id = 'pushing'");
  const before = await instances();
  const ends = TASKS.map((taskId) => tryEnd({ id: before[taskId]?.id ?? "", state: "failed" }));
  const silent = await finishTries(database.store, ends, { leaving: ["running"], silentForSec: 60 });
  expect(silent.map(({ taskId }) => taskId)).toEqual(["pushing"]);
  const queued = await finishTries(database.store, ends, { leaving: ["queued"], silentForSec: null });
  expect(queued.map(({ taskId }) => taskId)).toEqual(["plain"]);
});
