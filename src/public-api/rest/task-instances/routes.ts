import { z } from "@hono/zod-openapi";
import { createGroupPath, INT4_MAX } from "../../../contracts/index.ts";
import { COUNT_MAX, findDag, findTriesOf, INSTANCE_ORDER_KEYS, listInstances } from "../../../store/index.ts";
import { type Api, endpoint } from "../../endpoint.ts";
import { noSuchDag, refusal } from "../../refuse.ts";
import { mustFindRun } from "../dag-runs/routes.ts";
import { integer, mapIndexField, orNone, runOrAllPath, taskPath } from "../fields.ts";
import { readPageQuery } from "../paging.ts";
import { currentVersion } from "../tasks/routes.ts";
import { instanceQuery, readInstanceFilter } from "./filters.ts";
import { mustFindInstance } from "./find-instance.ts";
import { instanceListShape, instanceShape, toInstances, toTry, tryListShape, tryShape } from "./shapes.ts";

const tag = "Task instances";
const base = "/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances" as const;
const mappedQuery = instanceQuery.omit({ task_id: true, task_group_id: true });
const mapQuery = z.object({ map_index: mapIndexField.optional() });
const mappedPath = taskPath.extend({ map_index: mapIndexField });

export function taskInstanceRoutes(api: Api): void {
  const { store, dags } = api.resources;

  endpoint(
    api,
    `get ${base}`,
    {
      tag,
      summary: "Task instances of a run; ~ means all DAGs or all runs",
      access: "viewer",
      params: runOrAllPath,
      query: instanceQuery,
      answer: instanceListShape,
    },
    async ({ params, query, options, facts }) => {
      const { dag_id: dagId, dag_run_id: runId } = params;
      const filter = { ...readInstanceFilter(query), dagIds: orNone(dagId), runIds: orNone(runId) };
      if (dagId !== "~" && runId !== "~") {
        // By the run's key, so that the primary key's index is used; the ids of DAG and run would need a search in a large table.
        const run = await mustFindRun(store, dagId, runId);
        Object.assign(filter, { dagRunId: run.id, dagIds: undefined, runIds: undefined });
      } else if (dagId !== "~" && !(await findDag(store, dagId))) throw noSuchDag(dagId);
      if (query.task_group_id !== undefined) {
        if (dagId === "~") throw refusal("filter_invalid", "task_group_id needs a dag_id in the path instead of ~.");
        const inGroup = await tasksInGroup(dagId, query.task_group_id);
        filter.taskIds = query.task_id ? query.task_id.filter((taskId) => inGroup.includes(taskId)) : inGroup;
        if (filter.taskIds.length === 0) return { task_instances: [], total_entries: 0, total_entries_limit: COUNT_MAX };
      }
      const { rows, total } = await listInstances(store, filter, readPageQuery(query, options, INSTANCE_ORDER_KEYS));
      const answers = await toInstances(store, facts, rows);
      return { task_instances: answers, total_entries: total, total_entries_limit: COUNT_MAX };
    },
  );

  async function tasksInGroup(dagId: string, groupId: string): Promise<string[]> {
    const { graph } = await currentVersion(store, dags, dagId);
    const pathOf = createGroupPath(graph.dag.taskGroups);
    return graph.tasks.filter((task) => pathOf(task.taskGroupId).includes(groupId)).map((task) => task.taskId);
  }

  const one = async (path: z.infer<typeof taskPath>, mapIndex?: number) => {
    const [answer] = await toInstances(store, api.facts, [await mustFindInstance(store, path, mapIndex)]);
    if (!answer) throw new Error("a row gave no answer");
    return answer;
  };
  endpoint(
    api,
    `get ${base}/{task_id}`,
    { tag, summary: "One task instance", access: "viewer", params: taskPath, query: mapQuery, answer: instanceShape },
    ({ params, query }) => one(params, query.map_index),
  );

  const tries = async (path: z.infer<typeof taskPath>, mapIndex = -1) => {
    const { dagRunId, taskId } = await mustFindInstance(store, path, mapIndex);
    const rows = await findTriesOf(store, dagRunId, taskId, mapIndex);
    const versions = await api.facts.get(
      store,
      rows.map((row) => row.versionId),
    );
    return rows.map((row) => toTry(row, versions.get(row.versionId)));
  };
  const nth = async (path: z.infer<typeof taskPath>, tryNumber: number, mapIndex?: number) => {
    const found = (await tries(path, mapIndex)).findLast((row) => row.try_number === tryNumber);
    if (!found) throw refusal("try_not_found", `Task "${path.task_id}" of run "${path.dag_run_id}" has no try ${tryNumber}.`);
    return found;
  };
  const tryNumber = integer(0, INT4_MAX);
  endpoint(
    api,
    `get ${base}/{task_id}/tries`,
    { tag, summary: "All tries, oldest first", access: "viewer", params: taskPath, query: mapQuery, answer: tryListShape },
    async ({ params, query }) => {
      const found = await tries(params, query.map_index);
      return { task_instances: found, total_entries: found.length };
    },
  );
  endpoint(
    api,
    `get ${base}/{task_id}/tries/{task_try_number}`,
    {
      tag,
      summary: "One try",
      access: "viewer",
      params: taskPath.extend({ task_try_number: tryNumber }),
      query: mapQuery,
      answer: tryShape,
    },
    ({ params, query }) => nth(params, params.task_try_number, query.map_index),
  );

  endpoint(
    api,
    `get ${base}/{task_id}/listMapped`,
    {
      tag,
      summary: "The instances of a mapped task; empty until it is expanded",
      access: "viewer",
      params: taskPath,
      query: mappedQuery,
      answer: instanceListShape,
    },
    async ({ params, query, options, facts }) => {
      const run = await mustFindRun(store, params.dag_id, params.dag_run_id);
      const { graph } = run.versionId ? await dags.get(store, run.versionId) : await currentVersion(store, dags, params.dag_id);
      const task = graph.indexOf.get(params.task_id);
      if (task === undefined) {
        throw refusal("task_not_found", `Run "${params.dag_run_id}" of DAG "${params.dag_id}" has no task "${params.task_id}".`);
      }
      if (!graph.mapped.has(task)) {
        throw refusal(
          "task_not_mapped",
          `Task "${params.task_id}" of DAG "${params.dag_id}" is not mapped; read the task instance itself.`,
        );
      }
      const filter = { ...readInstanceFilter(query), dagRunId: run.id, taskIds: [params.task_id] };
      if (filter.mapIndexes === undefined) filter.isExpanded = true;
      const { rows, total } = await listInstances(store, filter, readPageQuery(query, options, INSTANCE_ORDER_KEYS));
      return { task_instances: await toInstances(store, facts, rows), total_entries: total, total_entries_limit: COUNT_MAX };
    },
  );

  // The same routes with the map index in the path. After the routes above, which have a word in its place.
  endpoint(
    api,
    `get ${base}/{task_id}/{map_index}`,
    { tag, summary: "One mapped task instance", access: "viewer", params: mappedPath, answer: instanceShape },
    ({ params }) => one(params, params.map_index),
  );
  endpoint(
    api,
    `get ${base}/{task_id}/{map_index}/tries`,
    { tag, summary: "All tries of a mapped task instance", access: "viewer", params: mappedPath, answer: tryListShape },
    async ({ params }) => {
      const found = await tries(params, params.map_index);
      return { task_instances: found, total_entries: found.length };
    },
  );
  endpoint(
    api,
    `get ${base}/{task_id}/{map_index}/tries/{task_try_number}`,
    {
      tag,
      summary: "One try of a mapped task instance",
      access: "viewer",
      params: mappedPath.extend({ task_try_number: tryNumber }),
      answer: tryShape,
    },
    ({ params }) => nth(params, params.task_try_number, params.map_index),
  );
}
