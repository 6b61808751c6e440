/**
 * Options of Airflow's [scheduler], [core], [triggerer] and [dag_processor] that have no meaning here, and why. Whoever brings
 * such a file along is told so when a role starts, and the option does nothing: refusing would make a working set-up stop
 * over a line that changes nothing. A name that neither Baram nor Airflow has is refused all the same.
 */
const NEVER_RUNS_HERE = "it steers how Airflow starts Python";
const AUTH = "users and roles of Baram's API are in its database; see `baram` on the first start";
const IN_THE_DAG = "set it in the DAG file, for each DAG or task";
const BY_CONTENT =
  "the code of each DAG version is kept in the database under its hash, so nothing is to be checked out or cleaned up";
const FILES_ON_CHANGE = "a DAG file is loaded when it or something it imports has changed, and at once";
const READS_BY_VERSION = "a DAG version is written once and never changes, so it is saved only when it is new and read only once";

export const MEANINGLESS_OPTIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  scheduler: {
    clean_tis_without_dagrun_interval: "the database lets no task instance be without its DAG run",
    enable_tracemalloc: "it traces Python's memory; for Node.js use `--heapsnapshot-signal`",
    ignore_first_depends_on_past_by_default: `it is always so unless a task says otherwise: ${IN_THE_DAG}`,
    parsing_cleanup_interval: "each scan of a dag-processor looks for DAGs that have become stale",
    child_process_log_directory: "a dag-processor's log goes to its stderr, errors of a file to its import error",
  },
  core: {
    allowed_deserialization_classes: "only JSON passes between tasks; no class is ever restored from it",
    allowed_deserialization_classes_regexp: "only JSON passes between tasks; no class is ever restored from it",
    asset_manager_class: "Baram has no assets",
    asset_manager_kwargs: "Baram has no assets",
    auth_manager: AUTH,
    compress_serialized_dags: "a serialized DAG is compressed by PostgreSQL where it is large",
    daemon_umask: "roles run in the foreground under a service manager, which sets it",
    dag_run_conf_overrides_params: "a run's conf is always laid over the params",
    dagbag_import_error_traceback_depth: "an import error always has its place and the end of its stack",
    dagbag_import_error_tracebacks: "an import error always has its place and the end of its stack",
    default_impersonation: "tasks run under the user of their worker",
    execute_tasks_new_python_interpreter: "it is [local_executor] isolation = process",
    execution_api_server_url: "it is [api] base_url",
    fernet_key: "it is [core] encryption_key",
    hide_sensitive_var_conn_fields: "what is secret is always hidden",
    hostname_callable: "the operating system's host name is used",
    lazy_discover_providers: NEVER_RUNS_HERE,
    lazy_load_plugins: NEVER_RUNS_HERE,
    max_task_retry_delay: `a task's maxRetryDelay bounds it, and 24 hours bound all: ${IN_THE_DAG}`,
    might_contain_dag_callable: "every .ts, .mts, .js and .mjs file is looked at but those that .baramignore leaves out",
    min_serialized_dag_fetch_interval: READS_BY_VERSION,
    min_serialized_dag_update_interval: READS_BY_VERSION,
    mp_start_method: NEVER_RUNS_HERE,
    multi_team: "Baram knows no teams",
    plugins_folder: "Baram has no plugins",
    security: "Baram has no Kerberos",
    sensitive_var_conn_names: "every password, extra and variable that a task reads is masked in its log",
    simple_auth_manager_all_admins: AUTH,
    simple_auth_manager_passwords_file: AUTH,
    simple_auth_manager_users: AUTH,
    strict_asset_uri_validation: "Baram has no assets",
    task_success_overtime: "a task's success is reported when it ends; what it left running is stopped",
    test_connection: "connections cannot be tested from the API",
    unit_test_mode: "`baram dags test` runs a DAG without a scheduler",
    xcom_backend: "XComs are JSON in the database",
  },
  triggerer: {
    default_trigger_class: "a trigger is always named by who defers",
    queues_enabled: "every triggerer takes every trigger",
  },
  dag_processor: {
    bundle_refresh_check_interval: "the one DAG folder is watched, and listed every refresh_interval",
    dag_bundle_config_list: "there is one folder of DAG files: [core] dags_folder",
    dag_bundle_storage_path: BY_CONTENT,
    dag_file_processor_timeout: "evaluating the file is all that could take long, and [core] dagbag_import_timeout bounds it",
    dag_version_inflation_check_level: "a DAG version is made only when the file's code or its DAG has changed",
    disable_bundle_versioning: BY_CONTENT,
    min_file_process_interval: FILES_ON_CHANGE,
    parsing_pre_import_modules: "evaluation children stay warm, with the SDK loaded",
    stale_bundle_cleanup_age_threshold: BY_CONTENT,
    stale_bundle_cleanup_interval: BY_CONTENT,
    stale_bundle_cleanup_min_versions: BY_CONTENT,
  },
};
