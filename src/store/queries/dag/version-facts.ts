import type { JsonObject } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

/**
 * Facts of a DAG version for lists, in addition to its row; they never change. Tasks are included only if they set one of the
 * two.
 */
export type VersionFacts = {
  versionId: string;
  scheduleSummary: string | null;
  hasTaskLimits: boolean;
  tasks: Record<string, { displayName: string | null; executorConfig: JsonObject }>;
};

const statement = {
  name: "version-facts",
  text: `
select s.dag_version_id as "versionId", s.data->>'scheduleSummary' as "scheduleSummary",
       exists (select 1 from json_array_elements(s.data->'tasks') t
                where t->>'maxActiveTisPerDag' is not null or t->>'maxActiveTisPerDagrun' is not null) as "hasTaskLimits",
       coalesce((select json_object_agg(t->>'taskId', json_build_object('displayName', t->'displayName', 'executorConfig', t->'executorConfig'))
                   from json_array_elements(s.data->'tasks') t
                  where t->>'displayName' is not null or coalesce(t->>'executorConfig', '{}') <> '{}'), '{}') as tasks
  from serialized_dag s where s.dag_version_id = any($1::uuid[])`,
};

export async function versionFacts(db: Db, versionIds: readonly string[]): Promise<VersionFacts[]> {
  return (await db.query<VersionFacts>(statement, [versionIds])).rows;
}
