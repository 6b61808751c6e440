import { type Db, findInstances, type InstanceKey, type InstanceRow, pickInstances } from "../../../store/index.ts";
import { noSuchInstance, refusal } from "../../refuse.ts";
import { mustFindRun } from "../dag-runs/routes.ts";

/** Throws `dag_not_found`, `dag_run_not_found` or `task_instance_not_found`, whichever is missing first. */
export async function mustFindInstance(
  db: Db,
  path: { dag_id: string; dag_run_id: string; task_id: string },
  mapIndex = -1,
): Promise<InstanceRow> {
  const run = await mustFindRun(db, path.dag_id, path.dag_run_id);
  const [row] = await findInstances(db, [{ dagRunId: run.id, taskId: path.task_id, mapIndex }]);
  if (row) return row;
  const others = await pickInstances(db, [run.id], [path.task_id], null);
  if (others.length > 0 && mapIndex < 0) {
    throw refusal(
      "task_instance_not_found",
      `Task "${path.task_id}" of run "${path.dag_run_id}" is mapped: name one of its instances with map_index.`,
    );
  }
  throw noSuchInstance(path.dag_id, path.dag_run_id, path.task_id, mapIndex);
}

/** All instances of a task, or the one with that map index. Throws as `mustFindInstance`. */
export async function mustFindInstances(
  db: Db,
  path: { dag_id: string; dag_run_id: string; task_id: string },
  mapIndex: number | undefined,
): Promise<[InstanceKey, ...InstanceKey[]]> {
  if (mapIndex !== undefined) return [await mustFindInstance(db, path, mapIndex)];
  const run = await mustFindRun(db, path.dag_id, path.dag_run_id);
  const [first, ...others] = await pickInstances(db, [run.id], [path.task_id], null);
  if (!first) throw noSuchInstance(path.dag_id, path.dag_run_id, path.task_id, -1);
  return [first, ...others];
}
