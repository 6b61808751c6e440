import type { OptionSpec } from "../option-spec.ts";

export const CORE = {
  dags_folder: {
    kind: "string",
    default: "dags",
    about: "Folder with the DAG files; a relative path starts at BARAM_HOME's parent.",
  },
  load_examples: { kind: "bool", default: true, about: "Load the DAGs of examples/dags too (standalone only)." },
  executor: {
    kind: "string",
    default: "LocalExecutor",
    about:
      "Executors, separated by commas, each as its name or alias:name; the first is the default. docs/executors.md names them.",
  },
  parallelism: {
    kind: "int",
    default: 32,
    min: 1,
    max: 10_000,
    about: "Task instances that one scheduler keeps queued or running at once.",
  },
  max_map_length: {
    kind: "int",
    default: 1024,
    min: 1,
    max: 100_000,
    about: "Elements that a task's result may have when other tasks are mapped over it; a longer one fails the task.",
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
  default_timezone: {
    kind: "string",
    default: "UTC",
    about: "Time zone of DAGs that set none: of their schedules, and of dates without an offset.",
  },
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
    about:
      "Grace: how long a task that is asked to stop, for whatever reason, may take to end; then its process is killed. Workers of one workload (ECS, Lambda) give 15 s at most.",
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
} as const satisfies Record<string, OptionSpec>;
