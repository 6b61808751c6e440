/**
 * Every option there is, in one table: name, kind, default, unit and one sentence. The docs page, `baram config list` and
 * the typed Config all come from it. Names are Airflow's wherever the thing is the same.
 */

type Kind = "string" | "int" | "float" | "bool";

export type OptionSpec = {
  readonly kind: Kind;
  /** `null` = not set; the sentence says what then happens. */
  readonly default: string | number | boolean | null;
  readonly unit?: string;
  readonly min?: number;
  readonly max?: number;
  readonly values?: readonly string[];
  readonly secret?: boolean;
  readonly about: string;
};

export const OPTIONS = {
  core: {
    dags_folder: {
      kind: "string",
      default: "dags",
      about: "Folder with the DAG files; a relative path starts at BARAM_HOME's parent.",
    },
    load_examples: { kind: "bool", default: true, about: "Load the DAGs of examples/dags too (standalone only)." },
    executor: {
      kind: "string",
      default: "LocalExecutor",
      about: "Executors, separated by commas; the first is the default. Known: LocalExecutor, SequentialExecutor.",
    },
    parallelism: {
      kind: "int",
      default: 32,
      min: 1,
      max: 10_000,
      about: "Task instances that one scheduler keeps queued or running at once.",
    },
    dags_are_paused_at_creation: { kind: "bool", default: true, about: "Whether a DAG seen for the first time starts paused." },
    default_pool_task_slot_count: {
      kind: "int",
      default: 128,
      min: -1,
      about: "Slots of default_pool when it is first made; -1 = no limit.",
    },
    dagbag_import_timeout: {
      kind: "float",
      default: 30,
      unit: "s",
      min: 0.1,
      about: "How long one DAG file may take to evaluate.",
    },
    default_timezone: { kind: "string", default: "UTC", about: "Time zone of dates given on the command line without one." },
    max_active_runs_per_dag: {
      kind: "int",
      default: 16,
      min: 1,
      about: "maxActiveRuns of DAGs that do not set it: unfinished runs of a DAG at once.",
    },
    max_active_tasks_per_dag: {
      kind: "int",
      default: 16,
      min: 1,
      about: "maxActiveTasks of DAGs that do not set it: active task instances in one run.",
    },
    max_consecutive_failed_dag_runs_per_dag: {
      kind: "int",
      default: 0,
      min: 0,
      about: "maxConsecutiveFailedDagRuns of DAGs that do not set it; 0 = a DAG is never paused for its failures.",
    },
    default_task_retries: { kind: "int", default: 0, min: 0, about: "retries of tasks that do not set it." },
    default_task_retry_delay: {
      kind: "float",
      default: 300,
      unit: "s",
      min: 0,
      about: "retryDelay of tasks that do not set it.",
    },
    default_task_weight_rule: {
      kind: "string",
      default: "downstream",
      values: ["downstream", "upstream", "absolute"],
      about: "weightRule of tasks that do not set it.",
    },
    default_task_execution_timeout: {
      kind: "float",
      default: null,
      unit: "s",
      min: 0.001,
      about: "executionTimeout of tasks that do not set it. Unset: none.",
    },
    killed_task_cleanup_time: {
      kind: "float",
      default: 10,
      unit: "s",
      min: 0,
      about: "Grace between SIGTERM and SIGKILL for a task that is stopped.",
    },
    max_templated_field_length: {
      kind: "int",
      default: 4_096,
      unit: "characters",
      min: 16,
      about: "A rendered template field is kept for display up to this length, as JSON; a longer one is cut, with a mark.",
    },
    num_dag_runs_to_retain_rendered_fields: {
      kind: "int",
      default: 30,
      min: 0,
      about: "Rendered template fields are kept for this many runs of each DAG, the newest; 0 = for all.",
    },
    encryption_key: {
      kind: "string",
      default: null,
      secret: true,
      about:
        "Key of connections and variables at rest: 32 bytes in base64. Unset: BARAM_HOME/encryption_key, made on the first start.",
    },
  },
  database: {
    url: {
      kind: "string",
      default: null,
      secret: true,
      about: "postgres:// URL. Unset: an embedded PostgreSQL under BARAM_HOME.",
    },
    pool_size: { kind: "int", default: 8, min: 2, max: 200, about: "Connections one process keeps at most." },
  },
  api: {
    host: { kind: "string", default: "127.0.0.1", about: "Address the API server listens on." },
    port: { kind: "int", default: 8080, min: 0, max: 65_535, about: "Port the API server listens on; 0 = any free one." },
    base_url: { kind: "string", default: null, about: "URL workers reach the API at. Unset: http://host:port." },
    fallback_page_limit: { kind: "int", default: 50, min: 1, about: "Page size of list answers when the request names none." },
    maximum_page_limit: { kind: "int", default: 100, min: 1, about: "Largest page a list answer has, whatever was asked for." },
    database_timeout: {
      kind: "float",
      default: 20,
      unit: "s",
      min: 0.1,
      max: 3_600,
      about: "Longest that a statement of the API server may take; a request that needs longer is answered 503.",
    },
  },
  api_auth: {
    jwt_secret: {
      kind: "string",
      default: null,
      secret: true,
      about: "Secret that signs tokens. Unset: BARAM_HOME/jwt_secret, made on the first start; every process must share it.",
    },
    jwt_expiration_time: {
      kind: "int",
      default: 86_400,
      unit: "s",
      min: 1,
      about: "How long a token from POST /auth/token is good.",
    },
    jwt_cli_expiration_time: {
      kind: "int",
      default: 3_600,
      unit: "s",
      min: 1,
      about: "How long a token from POST /auth/token/cli is good.",
    },
  },
  execution_api: {
    jwt_expiration_time: {
      kind: "int",
      default: 600,
      unit: "s",
      min: 5,
      about: "How long a running try's token is good; heartbeats renew it.",
    },
  },
  scheduler: {
    scheduler_idle_sleep_time: {
      kind: "float",
      default: 1,
      unit: "s",
      min: 0.01,
      about: "Longest sleep between two passes when nothing wakes the scheduler.",
    },
    num_runs: {
      kind: "int",
      default: -1,
      min: -1,
      about: "Passes after which a scheduler stops in order; -1 = never.",
    },
    only_idle: { kind: "bool", default: false, about: "Count only passes with nothing to do towards num_runs." },
    job_heartbeat_sec: {
      kind: "float",
      default: 5,
      unit: "s",
      min: 0.1,
      about: "How often an API server or a dag-processor says that it lives.",
    },
    scheduler_heartbeat_sec: {
      kind: "float",
      default: 5,
      unit: "s",
      min: 0.1,
      about: "How often a scheduler says that it lives.",
    },
    scheduler_health_check_threshold: {
      kind: "float",
      default: 30,
      unit: "s",
      min: 0.5,
      about: "A scheduler silent for this long is dead; its tasks are adopted.",
    },
    enable_health_check: {
      kind: "bool",
      default: false,
      about: "Whether a scheduler answers /health and /metrics on a port of its own.",
    },
    scheduler_health_check_server_host: { kind: "string", default: "0.0.0.0", about: "Address of that port." },
    scheduler_health_check_server_port: {
      kind: "int",
      default: 8974,
      min: 0,
      max: 65_535,
      about: "That port; 0 = any free one.",
    },
    orphaned_tasks_check_interval: {
      kind: "float",
      default: 15,
      unit: "s",
      min: 0.1,
      about: "How often tasks of dead schedulers are looked for.",
    },
    task_instance_heartbeat_sec: {
      kind: "float",
      default: 5,
      unit: "s",
      min: 0.1,
      about: "How often a supervisor reports its running tries.",
    },
    task_instance_heartbeat_timeout: {
      kind: "float",
      default: 40,
      unit: "s",
      min: 0.5,
      about: "A running try silent for this long has lost its worker: it is retried or failed.",
    },
    task_instance_heartbeat_timeout_detection_interval: {
      kind: "float",
      default: 5,
      unit: "s",
      min: 0.1,
      about: "How often silent tries are looked for.",
    },
    task_queued_timeout: {
      kind: "float",
      default: 600,
      unit: "s",
      min: 1,
      about: "A try queued for this long is taken back and queued again.",
    },
    task_queued_timeout_check_interval: {
      kind: "float",
      default: 30,
      unit: "s",
      min: 0.1,
      about: "How often such tries are looked for.",
    },
    lazarus_interval: {
      kind: "float",
      default: 300,
      unit: "s",
      min: 0,
      about: "A running DAG run that stands still for this long although something is owed is evaluated anew; 0 = never.",
    },
    lazarus_max_attempts: {
      kind: "int",
      default: 3,
      min: 0,
      about: "How often that is tried, one interval apart, before the run is failed.",
    },
    max_dagruns_to_create_per_loop: { kind: "int", default: 10, min: 1, about: "DAGs for which one pass creates runs." },
    max_dagruns_per_loop_to_schedule: { kind: "int", default: 20, min: 1, about: "DAG runs that one transaction evaluates." },
    max_tis_per_query: { kind: "int", default: 512, min: 1, about: "Task instances that one transaction dispatches." },
    catchup_by_default: {
      kind: "bool",
      default: false,
      about: "catchup of DAGs that do not set it.",
    },
    create_cron_data_intervals: {
      kind: "bool",
      default: false,
      about: "Whether cron schedules that do not say so have data intervals: a run then covers the time up to its start.",
    },
    create_delta_data_intervals: {
      kind: "bool",
      default: false,
      about: "The same for delta schedules.",
    },
    allow_trigger_in_future: {
      kind: "bool",
      default: false,
      about: "Whether a run may be triggered for a logical date to come; it waits, queued, until that date.",
    },
    use_job_schedule: { kind: "bool", default: true, about: "Whether schedules create runs; off: only manual runs." },
    use_row_level_locking: {
      kind: "bool",
      default: true,
      about: "Off: this scheduler takes a lock for itself and refuses to start beside another one that does.",
    },
    allowed_run_id_pattern: {
      kind: "string",
      default: "^[A-Za-z0-9_.~:+-]+$",
      about: "Regular expression that a run id given by a person must match, beside Baram's own rule, which is the default.",
    },
    pool_metrics_interval: {
      kind: "float",
      default: 5,
      unit: "s",
      min: 0.1,
      about: "How often the metrics of pools and executors are measured.",
    },
    ti_metrics_interval: {
      kind: "float",
      default: 30,
      unit: "s",
      min: 0.1,
      about: "How often the metrics of task instances by state are measured.",
    },
    dagrun_metrics_interval: {
      kind: "float",
      default: 30,
      unit: "s",
      min: 0.1,
      about: "How often the metric of running DAG runs is measured.",
    },
    full_scan_interval: {
      kind: "float",
      default: 60,
      unit: "s",
      min: 1,
      about: "How often a running DAG run is evaluated whole although nothing was reported: the safety net.",
    },
  },
  dag_processor: {
    refresh_interval: {
      kind: "float",
      default: 30,
      unit: "s",
      min: 0.1,
      about: "How often the DAG folder is listed; changes are mostly seen at once by the watcher.",
    },
    parsing_processes: { kind: "int", default: 2, min: 1, max: 64, about: "DAG files evaluated at once." },
    file_parsing_sort_mode: {
      kind: "string",
      default: "modified_time",
      values: ["modified_time", "random_seeded_by_host", "alphabetical"],
      about: "Order in which files that wait are loaded: newest first, in an order of this host's own, or by path.",
    },
    max_callbacks_per_loop: {
      kind: "int",
      default: 20,
      min: 1,
      about: "Callbacks owed by the platform that a scheduler hands to its executor in one pass.",
    },
    print_stats_interval: {
      kind: "float",
      default: 30,
      unit: "s",
      min: 0,
      about: "How often a dag-processor logs how many files it has; 0 = never.",
    },
    health_check_threshold: {
      kind: "float",
      default: 30,
      unit: "s",
      min: 0.5,
      about: "A dag-processor silent for this long is unhealthy.",
    },
    enable_health_check: {
      kind: "bool",
      default: false,
      about: "Whether a dag-processor answers /health and /metrics on a port of its own.",
    },
    dag_processor_health_check_server_host: { kind: "string", default: "0.0.0.0", about: "Address of that port." },
    dag_processor_health_check_server_port: {
      kind: "int",
      default: 8975,
      min: 0,
      max: 65_535,
      about: "That port; 0 = any free one.",
    },
    max_memory_mb: { kind: "int", default: 512, unit: "MB", min: 64, about: "Memory a DAG file's evaluation may take." },
  },
  triggerer: {
    triggerer_health_check_threshold: {
      kind: "float",
      default: 30,
      unit: "s",
      min: 0.5,
      about: "A triggerer silent for this long is unhealthy.",
    },
    enable_health_check: {
      kind: "bool",
      default: false,
      about: "Whether a triggerer answers /health and /metrics on a port of its own.",
    },
    triggerer_health_check_server_host: { kind: "string", default: "0.0.0.0", about: "Address of that port." },
    triggerer_health_check_server_port: {
      kind: "int",
      default: 8976,
      min: 0,
      max: 65_535,
      about: "That port; 0 = any free one.",
    },
  },
  operators: {
    default_owner: { kind: "string", default: "baram", about: "owner of tasks that do not set it." },
    default_queue: { kind: "string", default: "default", about: "queue of tasks that do not set it." },
  },
  workers: {
    graceful_shutdown_sec: {
      kind: "float",
      default: 10,
      unit: "s",
      min: 0,
      about: "How long running tasks may go on when their worker is stopped; then they are stopped and retried.",
    },
    max_failed_heartbeats: {
      kind: "int",
      default: 8,
      min: 1,
      about: "Heartbeats refused or lost in a row before a supervisor stops the try.",
    },
    execution_api_retry_window: {
      kind: "float",
      default: 600,
      unit: "s",
      min: 1,
      about: "How long a supervisor keeps trying to report an outcome while the API cannot be reached.",
    },
  },
  local_executor: {
    recycle_after_tries: { kind: "int", default: 500, min: 1, about: "A warm runner is replaced after this many tries." },
    recycle_memory_mb: {
      kind: "int",
      default: 512,
      unit: "MB",
      min: 64,
      about: "A warm runner above this size is replaced after its try.",
    },
    idle_runner_timeout: {
      kind: "float",
      default: 60,
      unit: "s",
      min: 0,
      about: "An idle runner beyond the first is ended after this long.",
    },
    isolation: {
      kind: "string",
      default: "warm",
      values: ["warm", "process"],
      about: "warm = a runner serves many tries; process = a fresh process per try.",
    },
  },
  email: {
    email_conn_id: {
      kind: "string",
      default: "smtp_default",
      about: "Connection of type smtp that alerts are sent through. Where there is none, the [smtp] section says how.",
    },
    from_email: { kind: "string", default: null, about: "Sender of alerts. Unset: [smtp] smtp_mail_from." },
    default_email_on_failure: {
      kind: "bool",
      default: true,
      about: "Whether a task that has `email` and does not set `emailOnFailure` sends mail when it has failed.",
    },
    default_email_on_retry: {
      kind: "bool",
      default: true,
      about: "Whether a task that has `email` and does not set `emailOnRetry` sends mail when a try failed and another follows.",
    },
    subject_template: {
      kind: "string",
      default: null,
      about: "File with the subject of alerts, with names like {{ ti.dag_id }}; a relative path starts at BARAM_HOME.",
    },
    html_content_template: {
      kind: "string",
      default: null,
      about:
        "File with the HTML of alerts, with names like {{ exception_html }}, which are escaped; a relative path starts at BARAM_HOME.",
    },
    ssl_context: {
      kind: "string",
      default: "default",
      values: ["default", "none"],
      about: "default = the SMTP server's certificate must be valid; none = any will do.",
    },
  },
  smtp: {
    smtp_host: { kind: "string", default: "localhost", about: "SMTP server for alerts." },
    smtp_port: { kind: "int", default: 25, min: 1, max: 65_535, about: "Its port." },
    smtp_user: { kind: "string", default: null, about: "Login there. Unset: none." },
    smtp_password: { kind: "string", default: null, secret: true, about: "Its password." },
    smtp_starttls: {
      kind: "bool",
      default: true,
      about: "Go over to TLS by STARTTLS; a server that does not offer it is refused.",
    },
    smtp_ssl: { kind: "bool", default: false, about: "TLS from the first byte, without STARTTLS." },
    smtp_mail_from: { kind: "string", default: "baram@localhost", about: "Sender of alerts if [email] from_email is not set." },
    smtp_timeout: { kind: "float", default: 30, unit: "s", min: 0.1, max: 600, about: "How long the server may be silent." },
    smtp_retry_limit: {
      kind: "int",
      default: 20,
      min: 1,
      about:
        "Attempts before an alert is given up; their distance grows from 5 s to 15 minutes, so that 20 take more than 3 hours.",
    },
  },
  logging: {
    logging_level: {
      kind: "string",
      default: "info",
      values: ["debug", "info", "warn", "error"],
      about: "Level of Baram's own log on stderr.",
    },
    base_log_folder: {
      kind: "string",
      default: "logs",
      about: "Folder of the tasks' logs; a relative path starts at BARAM_HOME.",
    },
    max_line_bytes: {
      kind: "int",
      default: 65_536,
      unit: "bytes",
      min: 256,
      about: "A longer line of a task's log is cut, with a mark.",
    },
    max_file_bytes: {
      kind: "int",
      default: 104_857_600,
      unit: "bytes",
      min: 4_096,
      about: "A try's log is cut at this size, with a mark.",
    },
  },
  metrics: {
    metrics_allow_list: {
      kind: "string",
      default: null,
      about: "Regular expressions, separated by commas: only metrics whose name matches one are emitted. Unset: all.",
    },
    metrics_block_list: {
      kind: "string",
      default: null,
      about:
        "Regular expressions, separated by commas: metrics whose name matches one are not emitted; not read beside metrics_allow_list.",
    },
    max_series_per_metric: {
      kind: "int",
      default: 1_000,
      min: 1,
      about: 'Combinations of labels that one metric has in a process at most; further ones are counted under "other".',
    },
    prometheus_on: {
      kind: "bool",
      default: true,
      about: "Whether /metrics is answered: by the API server, and by a role's health port where that is on.",
    },
    prometheus_token: {
      kind: "string",
      default: null,
      secret: true,
      about: "Bearer token that a scrape of /metrics must carry. Unset: whoever reaches the port may read it.",
    },
    statsd_on: { kind: "bool", default: false, about: "Whether metrics are sent to statsd." },
    statsd_host: { kind: "string", default: "localhost", about: "Host of statsd." },
    statsd_port: { kind: "int", default: 8125, min: 1, max: 65_535, about: "UDP port of statsd." },
    statsd_prefix: {
      kind: "string",
      default: "airflow",
      about: "Before every metric's name, in statsd and in Prometheus; the default makes dashboards for Airflow fit.",
    },
    statsd_datadog_enabled: {
      kind: "bool",
      default: false,
      about: "Whether labels are sent as tags in Datadog's form, instead of as parts of the name.",
    },
  },
  xcom: {
    max_size_bytes: {
      kind: "int",
      default: 1_048_576,
      unit: "bytes",
      min: 64,
      about: "The largest XCom, as JSON; a larger one fails its task.",
    },
  },
} as const satisfies Record<string, Record<string, OptionSpec>>;

type OptionTable = typeof OPTIONS;
type ValueOf<S extends OptionSpec> =
  | (S["kind"] extends "string" ? string : S["kind"] extends "bool" ? boolean : number)
  | (S["default"] extends null ? null : never);

/** The filled configuration: `config.core.parallelism`. */
export type ConfigValues = {
  [S in keyof OptionTable]: {
    [N in keyof OptionTable[S]]: OptionTable[S][N] extends OptionSpec ? ValueOf<OptionTable[S][N]> : never;
  };
};
