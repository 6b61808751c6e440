import { z } from "@hono/zod-openapi";
import { idSchema } from "../../../contracts/index.ts";
import type { DagCache, DagVersion } from "../../../scheduler/commands/index.ts";
import { type Db, findDag } from "../../../store/index.ts";
import { type Api, endpoint } from "../../endpoint.ts";
import { noSuchDag, refusal } from "../../refuse.ts";
import { paramsOf } from "../dags/shapes.ts";
import { dagPath, text } from "../fields.ts";
import { type TaskAnswer, taskListShape, taskShape, toTask } from "./shapes.ts";

const tag = "Tasks";
const ORDER_KEYS = ["task_id", "task_display_name", "owner", "start_date", "end_date", "retries", "pool", "queue"] as const;

/** The DAG's current version. Throws `dag_not_found`. */
export async function currentVersion(db: Db, dags: DagCache, dagId: string): Promise<DagVersion> {
  const dag = await findDag(db, dagId);
  if (!dag?.versionId) throw noSuchDag(dagId);
  return dags.get(db, dag.versionId);
}

export function taskRoutes(api: Api): void {
  endpoint(
    api,
    "get /api/v2/dags/{dag_id}/tasks",
    {
      tag,
      summary: "The tasks of a DAG's current version",
      access: "viewer",
      params: dagPath,
      query: z.object({ order_by: text.optional() }),
      answer: taskListShape,
    },
    async ({ params, query, resources }) => {
      const version = await currentVersion(resources.store, resources.dags, params.dag_id);
      const tasks = sortTasks(tasksOf(version), query.order_by ?? "task_id");
      return { tasks, total_entries: tasks.length };
    },
  );

  endpoint(
    api,
    "get /api/v2/dags/{dag_id}/tasks/{task_id}",
    { tag, summary: "One task", access: "viewer", params: dagPath.extend({ task_id: idSchema }), answer: taskShape },
    async ({ params, resources }) => {
      const version = await currentVersion(resources.store, resources.dags, params.dag_id);
      const found = tasksOf(version).find((task) => task.task_id === params.task_id);
      if (!found) throw refusal("task_not_found", `DAG "${params.dag_id}" has no task "${params.task_id}".`);
      return found;
    },
  );
}

function tasksOf({ graph }: DagVersion): TaskAnswer[] {
  const params = paramsOf(graph.dag);
  return graph.tasks.map((task, index) => {
    const downstream = (graph.downstream[index] ?? []).flatMap((child) => graph.tasks[child]?.taskId ?? []);
    return toTask(task, downstream, params);
  });
}

function sortTasks(tasks: TaskAnswer[], orderBy: string): TaskAnswer[] {
  const descending = orderBy.startsWith("-");
  const name = descending ? orderBy.slice(1) : orderBy;
  const key = ORDER_KEYS.find((one) => one === name);
  if (!key)
    throw refusal("order_by_unknown", `order_by "${name.slice(0, 60)}" is not known here; known: ${ORDER_KEYS.join(", ")}.`);
  const sign = descending ? -1 : 1;
  return tasks.sort((a, b) => sign * compare(a[key], b[key]));
}

function compare(a: string | number | null, b: string | number | null): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  const [left, right] = [String(a ?? ""), String(b ?? "")];
  return left < right ? -1 : left > right ? 1 : 0;
}
