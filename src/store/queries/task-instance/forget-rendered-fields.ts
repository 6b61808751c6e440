import type { Db } from "../../store.ts";

/** $1 = runs of each DAG whose fields stay, the newest. Only runs that have fields are looked at, so it reads what is kept and little more. */
const statement = {
  name: "forget-rendered-fields",
  text: `
with shown as (
  select r.id, row_number() over (partition by r.dag_id order by r.run_after desc, r.id desc) as place
    from dag_run r where r.id in (select dag_run_id from rendered_task_instance_fields)
)
delete from rendered_task_instance_fields f using shown s
 where f.dag_run_id = s.id and s.place > $1
   and exists (select 1 from dag_run r where r.id = s.id and r.state in ('success', 'failed'))`,
};

/** Deletes the rendered fields of ended runs beyond the newest `keep` of each DAG; returns how many rows went. */
export async function forgetRenderedFields(db: Db, keep: number): Promise<number> {
  return (await db.query(statement, [keep])).rowCount;
}
