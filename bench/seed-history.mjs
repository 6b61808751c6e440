// Creates a database with the history of some years: DAGs, runs and task instances. Uses set-based inserts without randomness: the same sizes
// give the same rows, so that a plan or a time can be reproduced. The connection must be a superuser's, as the embedded server's is.

/** The sizes for the bench's row "reads". */
export const FULL_SIZE = { dags: 1_000, runs: 10_000, instances: 1_000_000, bigDag: 100_000, waiting: 50_000 };
/** A size that a test seeds in a few seconds. */
export const TEST_SIZE = { dags: 100, runs: 1_000, instances: 100_000, bigDag: 10_000, waiting: 5_000 };

const BIG_RUNS = 20;
const WAITING_RUNS = 10;

/**
 * `dags` DAGs share `runs` runs and `instances` task instances. Two of them are special: `big` has `bigDag` instances in 20 runs,
 * and `waiting` has `waiting` instances in 10 running runs, which are scheduled for the pool `full`, whose slots are all in use.
 * For every 20th DAG the last run is running; everything else has ended. One instance in 20 has earlier tries, one in 2 an XCom,
 * one in 5 an entry in the audit log. `dag` is the serialized form of a DAG with one task; the seeded DAGs are copies of it.
 */
export async function seedHistory(store, size, dag) {
  const others = size.dags - 2;
  const runsOfEach = Math.floor((size.runs - BIG_RUNS - WAITING_RUNS) / others);
  const tasksOfEach = Math.ceil((size.instances - size.bigDag - size.waiting) / (others * runsOfEach));
  const steps = [
    // Skips the checks of foreign keys, which would take 3 of 4 seconds.
    "set local session_replication_role = replica",
    "set local synchronous_commit = off",
    "set local work_mem = '256MB'",
    "set local maintenance_work_mem = '256MB'",
    `insert into dag_module (hash, code, externals) values ('${"0".repeat(64)}', '', '{}')`,
    `insert into slot_pool (pool, slots, description) values ('default_pool', 1024, ''), ('warehouse', 8, ''), ('full', 1, '') on conflict (pool) do nothing`,
    `insert into job (job_type, state, hostname, pid) values ('SchedulerJob', 'running', 'seed', 1)`,
    // The plan of the data: the number of runs and tasks of each DAG.
    `create temporary table plan on commit drop as
     select 'dag_' || lpad(d::text, 4, '0') as dag_id, d, ${runsOfEach} as runs, ${tasksOfEach} as tasks, md5('dag' || d)::uuid as version_id
       from generate_series(1, ${others}) d
     union all select 'big', ${others + 1}, ${BIG_RUNS}, ${Math.ceil(size.bigDag / BIG_RUNS)}, md5('big')::uuid
     union all select 'waiting', ${others + 2}, ${WAITING_RUNS}, ${Math.ceil(size.waiting / WAITING_RUNS)}, md5('waiting')::uuid`,
    `insert into dag (dag_id, bundle_name, filename, tags, owners, is_paused, timetable_type, max_active_runs, max_active_tasks, current_version_id, schedule_hash)
     select dag_id, 'dags', dag_id || '.ts', array['team_' || d % 12, 'kind_' || d % 5], array['owner_' || d % 20], d % 50 = 7, 'null', 16, 16, version_id, 'h' from plan`,
    // Old versions of each DAG, and for one DAG as many as some years create.
    `insert into dag_version (id, dag_id, version_number, dag_hash, module_hash, created_at)
     select md5(dag_id || n)::uuid, dag_id, n, 'h' || n, '${"0".repeat(64)}', timestamptz '2023-06-01' + make_interval(days => n, mins => d)
       from plan cross join lateral generate_series(1, case when d = 1 then 129 else 2 end) n`,
    `insert into dag_version (id, dag_id, version_number, dag_hash, module_hash, created_at)
     select version_id, dag_id, case when d = 1 then 130 else 3 end, 'now', '${"0".repeat(64)}', timestamptz '2024-01-01' from plan`,
    `insert into serialized_dag (dag_version_id, dag_id, data) select id, dag_id, '${JSON.stringify(dag).replaceAll("'", "''")}' from dag_version`,
    `insert into dag_pool (dag_id, pool, pool_slots)
     select dag_id, unnest(case when dag_id = 'waiting' then array['full'] else array['default_pool', 'warehouse'] end), 1 from plan`,
    `insert into dag_run (dag_id, run_id, logical_date, data_interval_start, data_interval_end, run_after, run_type, triggered_by, triggering_user_name, state, conf,
       created_dag_version_id, queued_at, start_date, end_date, evaluation)
     select dag_id, run_type || '__' || at, at, at, at, at, run_type, 'timetable', case when run_type = 'manual' then 'user_' || d % 7 end, state,
            json_build_object('n', n), version_id, at, case when state <> 'queued' then at + interval '2s' end,
            case when state in ('success', 'failed') then at + interval '30min' end, 3
       from (select p.*, n, timestamptz '2024-01-01' + make_interval(hours => n * 24, secs => d * 60) as at,
                    case when (n * 7 + d) % 11 = 0 then 'manual' else 'scheduled' end as run_type,
                    case when dag_id = 'waiting' or (n = runs and d % 20 = 0) then 'running' when (n * 31 + d * 17) % 40 = 0 then 'failed' else 'success' end as state
               from plan p cross join lateral generate_series(1, p.runs) n) made order by at`,
    `insert into task_instance (id, dag_run_id, dag_id, run_id, task_id, map_index, dag_version_id, state, try_number, max_tries, retries, operator, pool, pool_slots,
       queue, executor, priority_weight, scheduled_dttm, queued_dttm, queued_by_job_id, start_date, end_date, duration, hostname, unixname, pid, last_heartbeat_at, updated_at,
       next_attempt_at)
     select md5(id || '/' || t)::uuid, id, dag_id, run_id, case when is_mapped then 'mapped' else 'task_' || lpad(t::text, 3, '0') end,
            case when is_mapped then t else -1 end, created_dag_version_id, state, case when state in ('none', 'upstream_failed', 'skipped') then 0 when h % 20 = 0 then 2 else 1 end,
            1, 1, case when h % 100 < 80 then 'task' when h % 100 < 95 then 'BashOperator' when h % 100 < 99 then 'EmptyOperator' else 'SqlSensor' end,
            case when dag_id = 'waiting' then 'full' when h % 10 = 9 then 'warehouse' else 'default_pool' end, 1,
            case when h % 200 = 199 then 'gpu' else 'default' end, 'LocalExecutor', 1 + h % 3, at,
            case when is_begun then at + interval '1s' end, case when is_begun then 1 end, case when is_begun then at + interval '2s' end,
            case when is_ended then at + make_interval(secs => 2 + took) end, case when is_ended then took end, case when is_begun then 'worker-' || h % 8 end,
            case when is_begun then 'baram' end, case when is_begun then 1000 + h % 1000 end, case when state = 'running' then now() end, at + make_interval(secs => 2 + took),
            case when state = 'up_for_retry' then timestamptz '2100-01-01' end
       from (select made.*, state in ('success', 'failed', 'upstream_failed', 'skipped', 'up_for_retry') as is_ended,
                    state in ('success', 'failed', 'running', 'up_for_retry') as is_begun
               from (select r.*, r.run_after + make_interval(secs => t * 10 % 1700) as at, t, h, (h % 3000) / 10.0 as took, r.is_mapped as mapped,
                            case when r.dag_id = 'waiting' then case when r.first and t = 1 then 'running' else 'scheduled' end
                                 when r.run_state <> 'running' then
                                   case when h % 1000 < 960 then 'success' when h % 1000 < 975 then 'failed' when h % 1000 < 985 then 'upstream_failed' else 'skipped' end
                                 when t <= 3 then 'running' when t <= 5 then 'up_for_retry' when t <= 8 then 'scheduled' when t <= 40 then 'success' end as state
                       from (select r.id, r.dag_id, r.run_id, r.created_dag_version_id, r.run_after, r.state as run_state, p.tasks,
                                    r.dag_id in ('big', 'waiting') as is_mapped, row_number() over (partition by r.dag_id order by r.id) = 1 as first
                               from dag_run r join plan p on p.dag_id = r.dag_id) r
                      cross join lateral generate_series(1, r.tasks) t
                      cross join lateral (select abs(hashint8(r.id * 1000003 + t)) as h) hashed) made) made
      order by at`,
    "update dag_run r set instance_count = c.count from (select dag_run_id, count(*)::int as count from task_instance group by 1) c where r.id = c.dag_run_id",
    `insert into task_instance_history (id, dag_run_id, dag_id, run_id, task_id, map_index, try_number, max_tries, state, operator, pool, pool_slots, queue, executor,
       priority_weight, dag_version_id, start_date, end_date, duration)
     select md5(id || 'h')::uuid, dag_run_id, dag_id, run_id, task_id, map_index, 1, max_tries, 'failed', operator, pool, pool_slots, queue, executor, priority_weight,
            dag_version_id, start_date - interval '10min', start_date - interval '9min', 60 from task_instance where try_number = 2`,
    `insert into xcom (dag_run_id, task_id, map_index, key, value, "timestamp")
     select dag_run_id, task_id, map_index, case when get_byte(uuid_send(id), 1) = 0 then 'rare' else 'return_value' end, to_json(get_byte(uuid_send(id), 0)), end_date
       from task_instance where state = 'success' and get_byte(uuid_send(id), 0) % 2 = 0 order by end_date`,
    `insert into log (dttm, event, owner, dag_id, run_id, task_id, map_index, try_number, extra)
     select start_date, case when get_byte(uuid_send(id), 1) < 250 then 'trigger_dag_run' else 'clear_task_instances' end, 'user_' || get_byte(uuid_send(id), 2) % 20,
            dag_id, run_id, task_id, map_index, try_number, '{"n": 1}'
       from task_instance where start_date is not null and get_byte(uuid_send(id), 0) % 5 = 0 order by start_date`,
    `insert into import_error (bundle_name, filename, kind, file, message)
     select 'dags', 'broken_' || n || '.ts', 'syntax', 'broken_' || n || '.ts', 'does not parse' from generate_series(1, ${Math.ceil(size.dags / 20)}) n`,
  ];
  await store.transaction(async (tx) => {
    // Creating an index on a full table takes a fraction of the time of filling it row by row.
    const { rows: indexes } = await tx.query(
      `select indexname as name, indexdef as definition from pg_indexes
        where tablename in ('task_instance', 'xcom', 'log') and indexname not in (select conname from pg_constraint)`,
    );
    for (const { name } of indexes) await tx.query(`drop index ${name}`);
    for (const step of steps) await tx.query(step);
    for (const { definition } of indexes) await tx.query(definition);
  });
  // As autovacuum leaves them: with statistics, and with pages marked as visible to all transactions.
  for (const table of [
    "task_instance",
    "task_instance_history",
    "dag_run",
    "xcom",
    "log",
    "dag",
    "dag_version",
    "serialized_dag",
    "import_error",
  ])
    await store.query(`vacuum (analyze) ${table}`);
}
