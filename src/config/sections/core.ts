import type { OptionSpec } from "../option-spec.ts";

export const CORE = {
  dags_folder: {
    kind: "string",
    default: "dags",
    about: "Folder with the DAG files; a relative path starts at the parent of BARAM_HOME.",
  },
  load_examples: { kind: "bool", default: true, about: "Whether standalone also loads the DAGs in examples/dags." },
  executor: {
    kind: "string",
    default: "LocalExecutor",
    about: "Executors, separated by commas, each as name or alias:name; the first is the default. See docs/executors.md.",
  },
  parallelism: {
    kind: "int",
    default: 32,
    min: 1,
    max: 10_000,
    about: "Maximum number of queued and running task instances per scheduler.",
  },
  max_map_length: {
    kind: "int",
    default: 1024,
    min: 1,
    max: 100_000,
    about: "Maximum number of elements of a result that other tasks are mapped over; a longer result fails the task.",
  },
  dags_are_paused_at_creation: { kind: "bool", default: true, about: "Whether new DAGs are paused." },
  default_pool_task_slot_count: {
    kind: "int",
    default: 128,
    min: -1,
    about: "Slots of default_pool when it is created; -1 = no limit.",
  },
  dagbag_import_timeout: {
    kind: "float",
    default: 30,
    unit: "s",
    min: 0.1,
    about: "Maximum time to bundle one DAG file, and to evaluate it.",
  },
  default_timezone: {
    kind: "string",
    default: "UTC",
    about: "Default time zone of DAGs, for schedules and for dates without an offset.",
  },
  max_active_runs_per_dag: {
    kind: "int",
    default: 16,
    min: 1,
    about: "Default of maxActiveRuns: maximum number of unfinished runs of a DAG.",
  },
  max_active_tasks_per_dag: {
    kind: "int",
    default: 16,
    min: 1,
    about: "Default of maxActiveTasks: maximum number of active task instances in one run.",
  },
  max_consecutive_failed_dag_runs_per_dag: {
    kind: "int",
    default: 0,
    min: 0,
    about: "Default of maxConsecutiveFailedDagRuns; 0 = failures never pause a DAG.",
  },
  default_task_retries: { kind: "int", default: 0, min: 0, about: "Default of retries." },
  default_task_retry_delay: {
    kind: "float",
    default: 300,
    unit: "s",
    min: 0,
    about: "Default of retryDelay.",
  },
  default_task_weight_rule: {
    kind: "string",
    default: "downstream",
    values: ["downstream", "upstream", "absolute"],
    about: "Default of weightRule.",
  },
  default_task_execution_timeout: {
    kind: "float",
    default: null,
    unit: "s",
    min: 0.001,
    about: "Default of executionTimeout. Not set: no timeout.",
  },
  killed_task_cleanup_time: {
    kind: "float",
    default: 10,
    unit: "s",
    min: 0,
    about:
      "Time that a task has to end after it is asked to stop; then its process is killed. ECS and Lambda workers use 15 s at most.",
  },
  max_templated_field_length: {
    kind: "int",
    default: 4_096,
    unit: "characters",
    min: 16,
    about: "Maximum stored length of a rendered template field, as JSON; longer values are truncated.",
  },
  num_dag_runs_to_retain_rendered_fields: {
    kind: "int",
    default: 30,
    min: 0,
    about: "Number of newest runs of each DAG whose rendered template fields are kept; 0 = all.",
  },
  sensitive_var_conn_names: {
    kind: "string",
    default: null,
    about:
      "Parts of names, separated by commas: variables, keys of connection extras and other named values whose name contains one are hidden, in addition to Baram's own list. See docs/dag-authoring.md#secrets.",
  },
  encryption_key: {
    kind: "string",
    default: null,
    secret: true,
    about:
      "Key that encrypts connections and variables at rest: 32 bytes in base64. Not set: BARAM_HOME/encryption_key, generated at the first start.",
  },
} as const satisfies Record<string, OptionSpec>;
