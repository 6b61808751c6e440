/**
 * Options of Airflow's [scheduler], [core], [triggerer] and [dag_processor] that have no effect in Baram, and why. A role that
 * finds one of them logs a warning at startup and ignores it, so that a configuration file from Airflow does not stop a working
 * installation. A name that neither Baram nor Airflow has is an error.
 */
const NEVER_RUNS_HERE = "it controls how Airflow starts Python";
const AUTH = "Baram stores the users and roles of its API in its database; the first start creates the user `admin`";
const IN_THE_DAG = "set it in the DAG file, per DAG or task";
const BY_CONTENT = "the database stores the code of each DAG version under its hash, so there are no checkouts to manage";
const FILES_ON_CHANGE = "a DAG file is loaded as soon as it or one of its imports changes";
const READS_BY_VERSION = "a DAG version never changes, so it is written once and read once";

export const MEANINGLESS_OPTIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  scheduler: {
    clean_tis_without_dagrun_interval: "the database does not allow task instances without a DAG run",
    enable_tracemalloc: "it traces Python's memory; for Node.js, use `--heapsnapshot-signal`",
    ignore_first_depends_on_past_by_default: `it is on by default; to change it, ${IN_THE_DAG}`,
    parsing_cleanup_interval: "each scan of a dag-processor looks for DAGs that have become stale",
    child_process_log_directory: "the dag-processor logs to stderr, and errors of a file are import errors",
  },
  core: {
    allowed_deserialization_classes: "tasks exchange only JSON, so no class is deserialized",
    allowed_deserialization_classes_regexp: "tasks exchange only JSON, so no class is deserialized",
    asset_manager_class: "Baram has no assets",
    asset_manager_kwargs: "Baram has no assets",
    auth_manager: AUTH,
    compress_serialized_dags: "PostgreSQL compresses large serialized DAGs",
    daemon_umask: "roles run in the foreground; set the umask in the service manager",
    dag_run_conf_overrides_params: "a run's conf always overrides the params",
    dagbag_import_error_traceback_depth: "an import error always contains its location and the end of the stack trace",
    dagbag_import_error_tracebacks: "an import error always contains its location and the end of the stack trace",
    default_impersonation: "[workers] run_as_user says as which user the tasks of a worker run",
    execute_tasks_new_python_interpreter: "use [local_executor] isolation = process",
    execution_api_server_url: "use [api] base_url",
    fernet_key: "use [core] encryption_key",
    hide_sensitive_var_conn_fields: "secrets are always hidden",
    hostname_callable: "Baram uses the host name of the operating system",
    lazy_discover_providers: NEVER_RUNS_HERE,
    lazy_load_plugins: NEVER_RUNS_HERE,
    max_task_retry_delay: `maxRetryDelay of a task limits the delay, and 24 hours limit all delays: ${IN_THE_DAG}`,
    might_contain_dag_callable: "every .ts, .mts, .js and .mjs file is loaded, except those in .baramignore",
    min_serialized_dag_fetch_interval: READS_BY_VERSION,
    min_serialized_dag_update_interval: READS_BY_VERSION,
    mp_start_method: NEVER_RUNS_HERE,
    multi_team: "Baram has no teams",
    plugins_folder: "Baram has no plugins",
    security: "Baram has no Kerberos",
    simple_auth_manager_all_admins: AUTH,
    simple_auth_manager_passwords_file: AUTH,
    simple_auth_manager_users: AUTH,
    strict_asset_uri_validation: "Baram has no assets",
    task_success_overtime: "a task's success is reported when it ends, and processes that it left running are stopped",
    test_connection: "connections cannot be tested from the API",
    unit_test_mode: "`baram dags test` runs a DAG without a scheduler",
    xcom_backend: "XComs are JSON in the database",
  },
  triggerer: {
    default_trigger_class: "the task that defers always names its trigger",
    queues_enabled: "every triggerer runs all triggers",
  },
  dag_processor: {
    bundle_refresh_check_interval: "the DAG folder is watched, and listed every refresh_interval",
    dag_bundle_config_list: "there is one DAG folder: [core] dags_folder",
    dag_bundle_storage_path: BY_CONTENT,
    dag_file_processor_timeout: "only the evaluation of a file can take long, and [core] dagbag_import_timeout limits it",
    dag_version_inflation_check_level: "a new DAG version is created only if the code or the DAG has changed",
    disable_bundle_versioning: BY_CONTENT,
    min_file_process_interval: FILES_ON_CHANGE,
    parsing_pre_import_modules: "evaluation processes stay warm, with the SDK loaded",
    stale_bundle_cleanup_age_threshold: BY_CONTENT,
    stale_bundle_cleanup_interval: BY_CONTENT,
    stale_bundle_cleanup_min_versions: BY_CONTENT,
  },
};
