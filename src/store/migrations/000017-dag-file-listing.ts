/**
 * Who owns a DAG and when it is stale (ADR 0034). Rows that an older Baram saved have the empty build, which is older than any, so each
 * file is loaded once after the migration; one that goes on beside a newer Baram leaves the new columns as they are.
 */
export const dagFileListing = {
  version: 17,
  name: "dag-file-listing",
  breaking: false,
  sql: `
-- What the latest scan of each dag-processor found in a bundle; it stands until the dag-processor stops, or should have scanned again.
create table dag_file_listing (
  processor_id uuid not null,
  bundle_name text not null,
  files text[] not null,
  -- of files: an unchanged list is not written again
  files_hash text not null,
  valid_until timestamptz not null,
  primary key (processor_id, bundle_name)
);

-- DAGs of the last good version; what the file may claim while it has an import error
alter table dag_file add column dag_ids text[] not null default '{}';
-- DAGs that another file owns, for which this one has its import error
alter table dag_file add column waits_for text[] not null default '{}';
-- whether the latest load failed: then there is an import error
alter table dag_file add column has_failed boolean not null default false;
-- of the Baram that saved the row; compared from the left
alter table dag_file add column build int[] not null default '{}';
-- since when no dag-processor has the file
alter table dag_file add column missing_since timestamptz;

update dag_file f
   set has_failed = exists (select 1 from import_error e where e.bundle_name = f.bundle_name and e.filename = f.filename),
       dag_ids = array(select d.dag_id from dag d where d.bundle_name = f.bundle_name and d.filename = f.filename and not d.is_stale
                        order by d.dag_id);
`,
};
