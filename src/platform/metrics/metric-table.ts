/**
 * All metrics: name, kind, unit, labels and one sentence. docs/metrics.md is generated from this table, and only metrics of this table
 * can be emitted. The names are Airflow's, so that dashboards for Airflow also work with Baram.
 *
 * `dotted` is the name of a labelled series in statsd without tags, as in Airflow's older names. Label values are ids, names and
 * states, never values of users.
 */
export type MetricSpec = {
  readonly kind: "counter" | "gauge" | "timer";
  readonly unit: string;
  readonly labels: readonly string[];
  readonly dotted?: string;
  /** The roles that emit it. */
  readonly roles: readonly MetricRole[];
  readonly about: string;
};

export type MetricRole = "scheduler" | "api-server" | "dag-processor" | "triggerer";

const TASK = ["dag_id", "task_id"] as const;
const SCHEDULER = ["scheduler"] as const;
const PROCESSOR = ["dag-processor"] as const;
const TRIGGERER = ["triggerer"] as const;
/** The roles that end tries: the API server for reports of workers, the scheduler for tries that it finds lost. */
const BOTH = ["api-server", "scheduler"] as const;
const EVERY_ROLE = ["scheduler", "api-server", "dag-processor", "triggerer"] as const;

export const METRICS = {
  // jobs
  job_start: jobCounter("start", "Starts of processes of this role."),
  job_end: jobCounter("end", "Normal stops of processes of this role."),
  job_heartbeat_failure: jobCounter("heartbeat_failure", "Heartbeats of this role that could not be written."),
  scheduler_heartbeat: counter("beats", [], SCHEDULER, "Heartbeats of schedulers."),
  dag_processor_heartbeat: counter("beats", [], PROCESSOR, "Heartbeats of dag-processors."),
  triggerer_heartbeat: counter("beats", [], TRIGGERER, "Heartbeats of triggerers."),

  // tries
  "ti.start": counter("tries", TASK, ["api-server"], "Tries that started on a worker.", "ti.start.{dag_id}.{task_id}"),
  "ti.finish": counter(
    "tries",
    [...TASK, "state"],
    BOTH,
    "Tries that ended, by the resulting state of the task instance.",
    "ti.finish.{dag_id}.{task_id}.{state}",
  ),
  ti_successes: counter("tries", TASK, BOTH, "Tries that succeeded."),
  ti_failures: counter("tries", TASK, BOTH, "Tries that failed, including those that are retried."),
  operator_successes: counter("tries", ["operator"], BOTH, "Successes by operator.", "operator_successes_{operator}"),
  operator_failures: counter("tries", ["operator"], BOTH, "Failures by operator.", "operator_failures_{operator}"),
  task_instance_created: counter(
    "task instances",
    ["operator"],
    BOTH,
    "Task instances created with their DAG run, by operator.",
    "task_instance_created_{operator}",
  ),
  task_instances_without_heartbeats_killed: counter(
    "tries",
    TASK,
    SCHEDULER,
    "Running tries that were declared lost because of missing heartbeats.",
  ),
  "scheduler.tasks.killed_externally": counter("tries", TASK, SCHEDULER, "Running tries that their executor reported lost."),
  "task.duration": timer(TASK, BOTH, "Duration of a try.", "dag.{dag_id}.{task_id}.duration"),
  "task.queued_duration": timer(TASK, ["api-server"], "Time from queued to running.", "dag.{dag_id}.{task_id}.queued_duration"),
  "task.scheduled_duration": timer(
    TASK,
    SCHEDULER,
    "Time from scheduled to queued.",
    "dag.{dag_id}.{task_id}.scheduled_duration",
  ),
  "ti.scheduled": stateGauge("scheduled"),
  "ti.queued": stateGauge("queued"),
  "ti.running": stateGauge("running"),
  "ti.deferred": stateGauge("deferred"),
  "dag.callback_exceptions": counter("callbacks", [], ["api-server"], "Callbacks in a separate workload that failed."),

  // runs
  "scheduler.dagruns.running": gauge("runs", [], SCHEDULER, "DAG runs in state running."),
  "dagrun.dependency-check": timer(
    ["dag_id"],
    SCHEDULER,
    "Duration of one evaluation of a DAG run: deciding which of its tasks change state.",
    "dagrun.dependency-check.{dag_id}",
  ),
  "dagrun.duration.success": timer(
    ["dag_id"],
    SCHEDULER,
    "Duration of successful runs, from start to end.",
    "dagrun.duration.success.{dag_id}",
  ),
  "dagrun.duration.failed": timer(
    ["dag_id"],
    SCHEDULER,
    "Duration of failed runs, from start to end.",
    "dagrun.duration.failed.{dag_id}",
  ),
  "dagrun.schedule_delay": timer(
    ["dag_id"],
    SCHEDULER,
    "Time from the due time of a scheduled run to its start.",
    "dagrun.schedule_delay.{dag_id}",
  ),
  "dagrun.first_task_scheduling_delay": timer(
    ["dag_id"],
    SCHEDULER,
    "Time from the due time of a scheduled run to the start of its first task; emitted when the run ends.",
    "dagrun.{dag_id}.first_task_scheduling_delay",
  ),

  // the scheduler's loop
  "scheduler.scheduler_loop_duration": timer([], SCHEDULER, "Duration of one scheduler pass."),
  "scheduler.critical_section_duration": timer([], SCHEDULER, "Time that a pass holds the dispatch lock."),
  "scheduler.critical_section_query_duration": timer([], SCHEDULER, "Duration of the candidate query while the lock is held."),
  "scheduler.critical_section_busy": counter(
    "times",
    [],
    SCHEDULER,
    "Passes that found the dispatch lock held by another scheduler.",
  ),
  "scheduler.tasks.executable": gauge("tries", [], SCHEDULER, "Tries that the last dispatch queued."),
  "scheduler.tasks.starving": gauge("tries", [], SCHEDULER, "Scheduled tries whose pool has too few free slots."),
  "scheduler.set_aside": gauge(
    "runs, schedules, backfills, tries and callbacks",
    [],
    SCHEDULER,
    "Items that are set aside because the scheduler fails with them; the same value for all schedulers.",
  ),
  "scheduler.execution_api_away": gauge(
    "0 or 1",
    [],
    SCHEDULER,
    "1 while the execution API is away, so that nothing is launched.",
  ),
  "scheduler.pass_failures": counter("passes", [], SCHEDULER, "Passes that failed completely."),
  "scheduler.orphaned_tasks.adopted": counter(
    "tries",
    [],
    SCHEDULER,
    "Running tries of dead schedulers that another scheduler took over.",
  ),
  "scheduler.orphaned_tasks.cleared": counter("tries", [], SCHEDULER, "Tries of dead schedulers that were requeued."),
  "executor.open_slots": gauge(
    "slots",
    ["executor"],
    SCHEDULER,
    "Workloads that the executor can accept.",
    "executor.open_slots.{executor}",
  ),
  "executor.queued_tasks": gauge(
    "tries",
    ["executor"],
    SCHEDULER,
    "Tries in the executor that have not started.",
    "executor.queued_tasks.{executor}",
  ),
  "executor.running_tasks": gauge(
    "tries",
    ["executor"],
    SCHEDULER,
    "Tries in the executor that are running.",
    "executor.running_tasks.{executor}",
  ),

  // pools
  "pool.open_slots": poolGauge("open_slots", "slots", "Free slots; not emitted for pools without a limit."),
  "pool.queued_slots": poolGauge("queued_slots", "slots", "Slots of queued tries."),
  "pool.running_slots": poolGauge("running_slots", "slots", "Slots of running tries."),
  "pool.deferred_slots": poolGauge("deferred_slots", "slots", "Slots of deferred task instances."),
  "pool.scheduled_slots": poolGauge("scheduled_slots", "slots", "Slots of scheduled tries."),
  "pool.starving_tasks": poolGauge("starving_tasks", "tries", "Scheduled tries for which the pool has too few free slots."),

  // DAG files
  dagbag_size: gauge("DAGs", [], PROCESSOR, "Number of DAGs in all files."),
  "dag_processing.import_errors": gauge("files", [], PROCESSOR, "Files that could not be loaded."),
  "dag_processing.total_parse_time": gauge("s", [], PROCESSOR, "Sum of the last load durations of all files."),
  "dag_processing.file_path_queue_size": gauge("files", [], PROCESSOR, "Files that are waiting to be loaded."),
  "dag_processing.file_path_queue_update_count": counter("times", [], PROCESSOR, "Scans of the DAG folder."),
  "dag_processing.processes": gauge("files", [], PROCESSOR, "Files that are being loaded."),
  "dag_processing.processor_timeouts": counter("files", ["dag_file"], PROCESSOR, "Loads that exceeded their time limit."),
  dag_file_refresh_error: counter("files", ["dag_file"], PROCESSOR, "Loads that ended in an import error."),
  "dag_processing.last_duration": timer(
    ["dag_file"],
    PROCESSOR,
    "Duration of loading one file.",
    "dag_processing.last_duration.{dag_file}",
  ),
  "dag_processing.last_run.seconds_ago": gauge(
    "s",
    ["dag_file"],
    PROCESSOR,
    "Time since the file was last loaded; an unchanged file is not loaded again.",
    "dag_processing.last_run.seconds_ago.{dag_file}",
  ),

  // triggers
  "triggers.running": gauge(
    "triggers",
    ["hostname"],
    TRIGGERER,
    "Triggers that the triggerer runs.",
    "triggers.running.{hostname}",
  ),
  "triggerer.capacity_left": gauge(
    "triggers",
    ["hostname"],
    TRIGGERER,
    "Triggers that the triggerer can still accept.",
    "triggerer.capacity_left.{hostname}",
  ),
  "triggers.blocked_main_thread": counter("times", [], TRIGGERER, "Times that a trigger blocked the event loop."),
  "triggers.failed": counter("triggers", [], TRIGGERER, "Triggers that failed."),
  "triggers.succeeded": counter("triggers", [], TRIGGERER, "Triggers that fired."),
} as const satisfies Record<string, MetricSpec>;

type Table = typeof METRICS;
export type MetricName = keyof Table;
type NamesOf<K extends MetricSpec["kind"]> = { [N in MetricName]: Table[N]["kind"] extends K ? N : never }[MetricName];
export type CounterName = NamesOf<"counter">;
export type GaugeName = NamesOf<"gauge">;
export type TimerName = NamesOf<"timer">;
/** A value for each label of the metric, and no others. */
export type LabelsOf<N extends MetricName> = { readonly [L in Table[N]["labels"][number]]: string };

function counter<const L extends readonly string[]>(
  unit: string,
  labels: L,
  roles: readonly MetricRole[],
  about: string,
  dotted?: string,
) {
  return { kind: "counter", unit, labels, roles, about, dotted } as const;
}

function gauge<const L extends readonly string[]>(
  unit: string,
  labels: L,
  roles: readonly MetricRole[],
  about: string,
  dotted?: string,
) {
  return { kind: "gauge", unit, labels, roles, about, dotted } as const;
}

/** Seconds here and in Prometheus; milliseconds in statsd, as its protocol requires. */
function timer<const L extends readonly string[]>(labels: L, roles: readonly MetricRole[], about: string, dotted?: string) {
  return { kind: "timer", unit: "s", labels, roles, about, dotted } as const;
}

function jobCounter(what: string, about: string) {
  return counter("times", ["job"], EVERY_ROLE, about, `{job}_${what}`);
}

function stateGauge(state: string) {
  const labels = ["queue", "dag_id", "task_id"] as const;
  return gauge(
    "task instances",
    labels,
    SCHEDULER,
    `Task instances in state ${state}.`,
    `ti.${state}.{queue}.{dag_id}.{task_id}`,
  );
}

function poolGauge(what: string, unit: string, about: string) {
  return gauge(unit, ["pool_name"], SCHEDULER, about, `pool.${what}.{pool_name}`);
}
