/**
 * Of a row of dag_file, `f`: everything that its latest load left is still there. A file that failed has its import error; one that did not
 * has its DAGs, active and its own. Whatever was deleted, made stale or taken over, by whomever, shows here.
 */
export const IS_INTACT = `
(case when f.has_failed
   then exists (select 1 from import_error e where e.bundle_name = f.bundle_name and e.filename = f.filename)
   else not exists (
     select 1 from unnest(f.dag_ids) i (dag_id)
      where not exists (select 1 from dag d where d.dag_id = i.dag_id and not d.is_stale and d.bundle_name = f.bundle_name and d.filename = f.filename))
 end)`;

/**
 * Of a row of dag, `dag`: its owner, the file that it names, keeps it. The file's last good version defines the DAG, as far as it was loaded
 * since it is there; and a living dag-processor has the file. Where none has it, an active DAG is kept, too, as long as one that was not stopped had
 * it, as after an outage of the database, or none that reads the bundle misses it.
 */
export const IS_KEPT = `
(not exists (select 1 from dag_file f where f.bundle_name = dag.bundle_name and f.filename = dag.filename and f.inputs <> '{}'
                and dag.dag_id <> all(f.dag_ids))
 and (exists (select 1 from dag_file_listing l where l.bundle_name = dag.bundle_name and dag.filename = any(l.files)
                 and (l.valid_until > now() or not dag.is_stale))
      or not dag.is_stale and not exists (
        select 1 from dag_file f join dag_file_listing l on l.bundle_name = f.bundle_name and l.valid_until > now()
         where f.bundle_name = dag.bundle_name and f.filename = dag.filename and f.missing_since is not null)))`;
