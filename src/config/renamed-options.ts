/**
 * Options of Airflow 2 and 3 that Baram has under another name: an error about one of them names ours. They are not read under
 * their old names, because their values often differ too (a SQLAlchemy URL, milliseconds, a list). Options of the same name in
 * another section need no entry.
 */
const RENAMED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  core: {
    dag_concurrency: "[core] max_active_tasks_per_dag",
    non_pooled_task_slot_count: "[core] default_pool_task_slot_count",
    sql_alchemy_conn: "[database] url",
    sql_alchemy_pool_size: "[database] pool_size",
  },
  database: { sql_alchemy_conn: "[database] url", sql_alchemy_pool_size: "[database] pool_size" },
  webserver: {
    base_url: "[api] base_url",
    secret_key: "[api_auth] jwt_secret",
    web_server_host: "[api] host",
    web_server_port: "[api] port",
  },
  api: { secret_key: "[api_auth] jwt_secret" },
  celery: { broker_url: "[queue] broker_url" },
  scheduler: {
    dag_dir_list_interval: "[dag_processor] refresh_interval",
    local_task_job_heartbeat_sec: "[scheduler] task_instance_heartbeat_sec",
    max_threads: "[dag_processor] parsing_processes",
    scheduler_zombie_task_threshold: "[scheduler] task_instance_heartbeat_timeout",
    zombie_detection_interval: "[scheduler] task_instance_heartbeat_timeout_detection_interval",
  },
  triggerer: { default_capacity: "[triggerer] capacity" },
};

/** `[section] name` of Baram's option with this meaning, or undefined. */
export function renamedOption(section: string, name: string): string | undefined {
  const names = Object.hasOwn(RENAMED, section) ? RENAMED[section] : undefined;
  return names !== undefined && Object.hasOwn(names, name) ? names[name] : undefined;
}

/** All of Baram's options that stand in the table. */
export function renamedTargets(): string[] {
  return Object.values(RENAMED).flatMap((names) => Object.values(names));
}
