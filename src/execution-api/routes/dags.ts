import { idSchema } from "../../contracts/index.ts";
import { findDagRow } from "../../store/index.ts";
import { check } from "../read-request.ts";
import { notFound } from "../refusal.ts";
import { type AddRoute, ANY_TRY } from "./route.ts";

export function addDagRoutes(add: AddRoute): void {
  add("GET", "/dags/:dag", ANY_TRY, async ({ c, resources }) => {
    const dagId = check(idSchema, c.req.param("dag"), "path");
    const dag = await findDagRow(resources.store, dagId);
    if (!dag) throw notFound(`DAG "${dagId}"`);
    return c.json({
      dag_id: dag.dagId,
      is_paused: dag.isPaused,
      bundle_name: dag.bundleName,
      bundle_version: null,
      relative_fileloc: dag.filename,
      owners: dag.owners.join(", "),
      tags: [...dag.tags].sort(),
      next_dagrun: dag.nextDagrun,
    });
  });
}
