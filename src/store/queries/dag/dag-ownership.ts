/**
 * For a row `f` of dag_file: the results of its latest load are still complete. A file that failed has its import error; other
 * files have their DAGs, active and owned by them. This detects everything that was deleted, made stale or taken over.
 */
export const IS_INTACT = `
(case when f.has_failed
   then exists (select 1 from import_error e where e.bundle_name = f.bundle_name and e.filename = f.filename)
   else not exists (
     select 1 from unnest(f.dag_ids) i (dag_id)
      where not exists (select 1 from dag d where d.dag_id = i.dag_id and not d.is_stale and d.bundle_name = f.bundle_name and d.filename = f.filename))
 end)`;

/**
 * For a row `dag` of dag: its owner, the file that it names, keeps it. The file's last good version defines the DAG, unless the
 * file has not been loaded since its row exists; and a living dag-processor has the file. If none has it, an active DAG is kept
 * too, as long as a dag-processor that was not stopped had it (as after an outage of the database), or as long as no
 * dag-processor that reads the bundle misses it.
 */
export const IS_KEPT = `
(not exists (select 1 from dag_file f where f.bundle_name = dag.bundle_name and f.filename = dag.filename and f.inputs <> '{}'
                and dag.dag_id <> all(f.dag_ids))
 and (exists (select 1 from dag_file_listing l where l.bundle_name = dag.bundle_name and dag.filename = any(l.files)
                 and (l.valid_until > now() or not dag.is_stale))
      or not dag.is_stale and not exists (
        select 1 from dag_file f join dag_file_listing l on l.bundle_name = f.bundle_name and l.valid_until > now()
         where f.bundle_name = dag.bundle_name and f.filename = dag.filename and f.missing_since is not null)))`;
