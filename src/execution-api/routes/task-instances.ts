/** A worker's calls about its own try. The token must be that of the try in the path. */
import { z } from "zod";
import { jsonObjectSchema } from "../../contracts/index.ts";
import { beatTries, findPreviousRun, findRun, findTryState, nameInstance, triesByIds } from "../../store/index.ts";
import { finishVerified } from "../finish-tries.ts";
import { check, readJson } from "../read-request.ts";
import { notFound, Refusal, staleTry } from "../refusal.ts";
import { answerCall } from "../runner-calls.ts";
import { skipDownstream } from "../skip-downstream.ts";
import { startVerified } from "../start-tries.ts";
import { renewToken } from "../tokens.ts";
import { type AddRoute, type Asked, OWN_TRY, OWN_TRY_OVERDUE, OWN_TRY_UNCHECKED, OWN_WORKLOAD } from "./route.ts";
import { dagRunShape, nextKwargsShape } from "./shapes.ts";
import { heartbeatSchema, parseState, runSchema, skipDownstreamSchema } from "./task-instance-bodies.ts";

const TOKEN_HEADER = "Refreshed-API-Token";

export function addTaskInstanceRoutes(add: AddRoute): void {
  add("PATCH", "/task-instances/:id/run", OWN_WORKLOAD, async ({ c, tryId, resources, options }) => {
    const { hostname, unixname, pid } = check(runSchema, await readJson(c), "body");
    const context = (await startVerified(resources, options, [{ id: tryId, hostname, unixname, pid }])).get(tryId);
    if (!context || context instanceof Refusal) throw context ?? staleTry(tryId);
    c.header(TOKEN_HEADER, context.token);
    return c.json({
      dag_run: dagRunShape(context.dagRun),
      task_reschedule_count: context.taskRescheduleCount,
      max_tries: context.maxTries,
      should_retry: context.shouldRetry,
      start_date: context.startDate,
      variables: [],
      connections: [],
      // They were deleted at the start already.
      xcom_keys_to_clear: [],
      next_method: context.resume?.method ?? null,
      next_kwargs: context.resume ? nextKwargsShape(context.resume) : null,
    });
  });

  add("PATCH", "/task-instances/:id/state", OWN_TRY_OVERDUE, async ({ c, tryId, claims, resources, options }) => {
    const outcome = parseState(await readJson(c));
    const answer = (await finishVerified(resources, options, [{ id: tryId, claims, outcome }])).get(tryId);
    if (answer instanceof Refusal) throw answer;
    return c.body(null, 204);
  });

  add("PUT", "/task-instances/:id/heartbeat", OWN_TRY_UNCHECKED, heartbeat);

  add("PUT", "/task-instances/:id/rtif", OWN_TRY, async ({ c, ...caller }) => {
    const fields = check(jsonObjectSchema, await readJson(c), "body");
    await answerCall(caller, "putRenderedFields", { fields });
    return c.json({ message: "Rendered task instance fields successfully set" }, 201);
  });

  add("PATCH", "/task-instances/:id/rendered-map-index", OWN_TRY, async ({ c, tryId, resources }) => {
    const name = check(z.string().max(250), await readJson(c), "body").replaceAll("\0", "");
    if (!(await nameInstance(resources.store, tryId, name))) throw staleTry(tryId);
    return c.body(null, 204);
  });

  add("PATCH", "/task-instances/:id/skip-downstream", OWN_TRY, async ({ c, tryId, resources }) => {
    const { tasks } = check(skipDownstreamSchema, await readJson(c), "body");
    const targets = tasks.map((task) => (typeof task === "string" ? task : { taskId: task[0], mapIndex: task[1] }));
    await skipDownstream(resources.store, tryId, targets);
    return c.body(null, 204);
  });

  add("GET", "/task-instances/:id/previous-successful-dagrun", OWN_TRY, async ({ c, tryId, resources: { store } }) => {
    const [fact] = await triesByIds(store, [tryId]);
    const run = fact && (await findRun(store, fact.dagId, fact.runId));
    if (!run) throw notFound(`Task instance ${tryId}`);
    // A run without a logical date has no earlier or later ones.
    const previous = run.logicalDate && (await findPreviousRun(store, run.dagId, run.logicalDate, "success"));
    return c.json({
      data_interval_start: previous?.dataIntervalStart ?? null,
      data_interval_end: previous?.dataIntervalEnd ?? null,
      start_date: previous?.startDate ?? null,
      end_date: previous?.endDate ?? null,
    });
  });
}

async function heartbeat({ c, tryId, claims, resources, options }: Asked): Promise<Response> {
  const { hostname, pid } = check(heartbeatSchema, await readJson(c), "body");
  const { store } = resources;
  const [fact] = await triesByIds(store, [tryId]);
  // The process of a running try never changes, so it can be compared before the heartbeat, which checks the state again.
  if (fact?.state === "running" && (fact.hostname !== hostname || fact.pid !== pid)) {
    throw new Refusal(409, "running_elsewhere", `Try ${tryId} runs as process ${fact.pid} on ${fact.hostname}; stop this one.`, {
      current_hostname: fact.hostname,
      current_pid: fact.pid,
    });
  }
  if ((await beatTries(store, [tryId])).length === 0) {
    const found = await findTryState(store, tryId);
    if (!found) throw notFound(`Task instance ${tryId}`);
    throw new Refusal(409, "not_running", staleTry(tryId).message, { current_state: found.state });
  }
  const token = await renewToken(resources, options, claims);
  if (token !== null) c.header(TOKEN_HEADER, token);
  return c.body(null, 204);
}
