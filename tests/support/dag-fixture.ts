import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { type SerializedDag, serializedDagSchema } from "../../src/contracts/index.ts";
import type { Db } from "../../src/store/index.ts";

type Given = { dagId: string; tasks?: readonly object[] } & Record<string, unknown>;

/** A serialized DAG with the given fields; all others have the contract's defaults. */
export function serializedDag({
  tasks = [{ taskId: "extract" }, { taskId: "load", upstream: ["extract"] }],
  ...given
}: Given): SerializedDag {
  return serializedDagSchema.parse({
    schemaVersion: 1,
    timetable: { type: "null" },
    ...given,
    tasks: tasks.map((task) => ({ operator: "task", kind: "function", upstream: [], ...task })),
  });
}

/** Saves a DAG with a new version, as the dag-processor does, and returns the version's id. Not paused by default. */
export async function saveDagFixture(db: Db, given: Given, row: { isPaused?: boolean; filename?: string } = {}): Promise<string> {
  const dag = serializedDag(given);
  const data = JSON.stringify(dag);
  const code = `export default ${JSON.stringify(dag.dagId)}; // ${data.length}`;
  const hash = createHash("sha256").update(code).digest("hex");
  const filename = row.filename ?? `${dag.dagId}.ts`;
  await db.query("insert into dag_module (hash, code, externals) values ($1, $2, '{}') on conflict (hash) do nothing", [
    hash,
    gzipSync(code),
  ]);
  await db.query(
    `insert into dag (dag_id, display_name, description, bundle_name, filename, tags, owners, is_paused, timetable_summary, timetable_type,
       max_active_runs, max_active_tasks, schedule_hash)
     values ($1, $2, $3, 'dags', $4, $5, $6, $7, $8, $9, $10, $11, 'h') on conflict (dag_id) do nothing`,
    [
      dag.dagId,
      dag.displayName,
      dag.description,
      filename,
      dag.tags,
      dag.owners,
      row.isPaused ?? false,
      dag.scheduleSummary,
      dag.timetable.type,
      dag.maxActiveRuns,
      dag.maxActiveTasks,
    ],
  );
  const { rows } = await db.query<{ id: string }>(
    `insert into dag_version (dag_id, version_number, dag_hash, module_hash)
     values ($1, (select coalesce(max(version_number), 0) + 1 from dag_version where dag_id = $1), $2, $3) returning id`,
    [dag.dagId, createHash("sha256").update(data).digest("hex"), hash],
  );
  const id = rows[0]?.id ?? "";
  await db.query("insert into serialized_dag (dag_version_id, dag_id, data) values ($1, $2, $3)", [id, dag.dagId, data]);
  await db.query("update dag set current_version_id = $2 where dag_id = $1", [dag.dagId, id]);
  return id;
}
