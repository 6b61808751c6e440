import { type Db, findInstances, type InstanceRow } from "../../../store/index.ts";
import { noSuchInstance } from "../../refuse.ts";
import { mustFindRun } from "../dag-runs/routes.ts";

/** Throws `dag_not_found`, `dag_run_not_found`, `task_instance_not_found`, whichever is the first that is missing. */
export async function mustFindInstance(
  db: Db,
  path: { dag_id: string; dag_run_id: string; task_id: string },
  mapIndex = -1,
): Promise<InstanceRow> {
  const run = await mustFindRun(db, path.dag_id, path.dag_run_id);
  const [row] = await findInstances(db, [{ dagRunId: run.id, taskId: path.task_id, mapIndex }]);
  if (!row) throw noSuchInstance(path.dag_id, path.dag_run_id, path.task_id, mapIndex);
  return row;
}
