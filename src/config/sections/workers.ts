import type { OptionSpec } from "../option-spec.ts";

export const WORKERS = {
  graceful_shutdown_sec: {
    kind: "float",
    default: 10,
    unit: "s",
    min: 0,
    about:
      "How long running tasks can continue after their worker is asked to stop; then they are stopped, and retried if they have retries left.",
  },
  token: {
    kind: "string",
    default: null,
    secret: true,
    about:
      "Token of a queue worker, for its name in the worker list and for starting what its broker delivers; create it with `baram worker token --name …`.",
  },
  start_token_ttl: {
    kind: "float",
    default: 86_400,
    unit: "s",
    min: 1,
    about:
      "Lifetime of the token with which a queued workload is started, at least [scheduler] task_queued_timeout. A try that waits for longer is queued again with a new token.",
  },
  pass_environment: {
    kind: "string",
    default: "",
    form: {
      matches: /^\s*([A-Za-z_][A-Za-z0-9_]*\*?(\s*,\s*[A-Za-z_][A-Za-z0-9_]*\*?)*)?\s*$/,
      words: "a list of names, or of their beginnings with a * at the end: JAVA_HOME, MY_APP_*",
    },
    about:
      "Environment variables that processes with user code get in addition to PATH, HOME, LANG and the like: names separated by commas; a `*` at the end stands for any characters. BARAM_* and NODE_OPTIONS are never passed. A container or function that runs one task passes all others.",
  },
  heartbeat_sec: { kind: "float", default: 5, unit: "s", min: 0.1, about: "Heartbeat interval of queue workers." },
  lost_after_sec: {
    kind: "float",
    default: 30,
    unit: "s",
    min: 0.5,
    about: "A queue worker without a heartbeat for this time is shown as lost, and another worker can use its name.",
  },
  max_failed_heartbeats: {
    kind: "int",
    default: 0,
    min: 0,
    about:
      "Consecutive failed heartbeats after which a worker stops what it runs. 0 = only execution_api_outage_limit counts. 8 with the default intervals: a worker that is cut off stops before its tasks are retried elsewhere.",
  },
  execution_api_outage_limit: {
    kind: "float",
    default: 600,
    unit: "s",
    min: 1,
    max: 3_000,
    about:
      "How long tasks run on while the API is unavailable. Then their workers stop them, and the scheduler fails or retries them.",
  },
  execution_api_retry_window: {
    kind: "float",
    default: 600,
    unit: "s",
    min: 1,
    about: "How long a supervisor retries to report an outcome while the API is unavailable.",
  },
  module_cache_max_mb: {
    kind: "int",
    default: 512,
    unit: "MB",
    min: 1,
    about:
      "Maximum size of the module cache of a worker. The least recently used modules are removed first; modules in use are kept.",
  },
  run_as_user: {
    kind: "string",
    default: null,
    form: {
      matches: /^([a-z_][a-z0-9_.-]*|[1-9][0-9]*)(:[1-9][0-9]*)?$/i,
      words: "the name of a user, a uid or uid:gid, other than root",
    },
    about:
      "Operating system user of all processes that run user code: tasks, DAG files during evaluation, triggers. Baram must run as root, or with the capabilities SETUID, SETGID, KILL and CHOWN. Not set: Baram's own user.",
  },
  run_as_user_of_dags: {
    kind: "string",
    default: null,
    form: {
      matches: /^\s*[^=,\s]+\s*=\s*[^=,\s]+\s*(,\s*[^=,\s]+\s*=\s*[^=,\s]+\s*)*$/,
      words: 'pairs of a DAG id and a user, as in "sales_*=etl, hr=1005"',
    },
    about:
      'Other users for the tasks and triggers of some DAGs, as in "sales_*=etl, hr=1005"; * stands for any text, and the first match counts. Needs run_as_user, which still evaluates the DAG files.',
  },
  shared_folder: {
    kind: "string",
    default: null,
    about:
      "Folder for modules, and for the home and temporary folders of the users of run_as_user. They must be able to enter it. Default: BARAM_HOME with -tasks at its end.",
  },
} as const satisfies Record<string, OptionSpec>;
