/** Queries of sensors and context helpers about task instances of any DAG. */
import { z } from "zod";
import { idSchema, runIdSchema } from "../../contracts/index.ts";
import { countInstances, findDag, findFirstPoke, type StateFilter, selectStates } from "../../store/index.ts";
import { check, instantSchema, many, readQuery } from "../read-request.ts";
import { notFound } from "../refusal.ts";
import type { ExecutionApiResources } from "../resources.ts";
import { tasksOfGroup } from "../task-group.ts";
import { type AddRoute, ANY_TRY, OWN_TRY } from "./route.ts";

const filterSchema = z.object({
  dag_id: idSchema,
  map_index: z.coerce.number().int().min(-1).optional(),
  task_ids: many(idSchema),
  task_group_id: z.string().optional(),
  logical_dates: many(instantSchema),
  run_ids: many(runIdSchema),
});
/** Airflow's clients send "null" for no state. */
const countSchema = filterSchema.extend({
  states: many(z.string().transform((state) => (state === "null" ? "none" : state))),
});

export function addTaskStateRoutes(add: AddRoute): void {
  add("GET", "/task-instances/count", ANY_TRY, async ({ c, resources }) => {
    const query = check(countSchema, readQuery(c), "query");
    const filter = { ...(await filterOf(resources, query)), states: query.states };
    return c.json(await countInstances(resources.store, filter));
  });

  add("GET", "/task-instances/states", ANY_TRY, async ({ c, resources }) => {
    const query = check(filterSchema, readQuery(c), "query");
    const taskStates: Record<string, Record<string, string | null>> = Object.create(null);
    for (const { runId, taskId, mapIndex, state } of await selectStates(resources.store, await filterOf(resources, query))) {
      taskStates[runId] ??= {};
      taskStates[runId][mapIndex < 0 ? taskId : `${taskId}_${mapIndex}`] = state;
    }
    return c.json({ task_states: taskStates });
  });

  add("GET", "/task-reschedules/:id/start_date", OWN_TRY, async ({ c, tryId, resources }) => {
    const found = await findFirstPoke(resources.store, tryId);
    if (!found) throw notFound(`Task instance ${tryId}`);
    return c.json(found.startDate);
  });
}

async function filterOf({ store, dags }: ExecutionApiResources, query: z.infer<typeof filterSchema>): Promise<StateFilter> {
  const filter = {
    dagId: query.dag_id,
    mapIndex: query.map_index,
    logicalDates: query.logical_dates,
    runIds: query.run_ids,
  };
  if (query.task_group_id === undefined) return { ...filter, taskIds: query.task_ids };
  const dag = await findDag(store, query.dag_id);
  if (!dag?.versionId) throw notFound(`DAG "${query.dag_id}"`);
  const { graph } = await dags.get(store, dag.versionId);
  const inGroup = tasksOfGroup(graph, query.task_group_id);
  if (inGroup.length === 0) throw notFound(`Task group "${query.task_group_id}" of DAG "${query.dag_id}"`);
  return { ...filter, taskIds: [...(query.task_ids ?? []), ...inGroup] };
}
