import type { OptionSpec } from "./option-spec.ts";
import { API } from "./sections/api.ts";
import { API_AUTH } from "./sections/api-auth.ts";
import { CORE } from "./sections/core.ts";
import { DAG_PROCESSOR } from "./sections/dag-processor.ts";
import { DATABASE } from "./sections/database.ts";
import { ECS_EXECUTOR } from "./sections/ecs-executor.ts";
import { EMAIL } from "./sections/email.ts";
import { EXECUTION_API } from "./sections/execution-api.ts";
import { LAMBDA_EXECUTOR } from "./sections/lambda-executor.ts";
import { LOCAL_EXECUTOR } from "./sections/local-executor.ts";
import { LOGGING } from "./sections/logging.ts";
import { METRICS } from "./sections/metrics.ts";
import { MONITOR } from "./sections/monitor.ts";
import { OPERATORS } from "./sections/operators.ts";
import { QUEUE } from "./sections/queue.ts";
import { SCHEDULER } from "./sections/scheduler.ts";
import { SMTP } from "./sections/smtp.ts";
import { TRIGGERER } from "./sections/triggerer.ts";
import { WORKERS } from "./sections/workers.ts";
import { XCOM } from "./sections/xcom.ts";

/**
 * The table of all options, with a file per section: name, kind, default, unit and one sentence. The docs page, `baram config
 * list` and the typed Config are generated from it. Names are Airflow's if the option has the same meaning.
 */
export const OPTIONS = {
  core: CORE,
  database: DATABASE,
  api: API,
  api_auth: API_AUTH,
  execution_api: EXECUTION_API,
  scheduler: SCHEDULER,
  dag_processor: DAG_PROCESSOR,
  triggerer: TRIGGERER,
  operators: OPERATORS,
  workers: WORKERS,
  local_executor: LOCAL_EXECUTOR,
  queue: QUEUE,
  monitor: MONITOR,
  ecs_executor: ECS_EXECUTOR,
  lambda_executor: LAMBDA_EXECUTOR,
  email: EMAIL,
  smtp: SMTP,
  logging: LOGGING,
  metrics: METRICS,
  xcom: XCOM,
} as const satisfies Record<string, Record<string, OptionSpec>>;

type OptionTable = typeof OPTIONS;
type ValueOf<S extends OptionSpec> =
  | (S["kind"] extends "string" ? string : S["kind"] extends "bool" ? boolean : number)
  | (S["default"] extends null ? null : never);

/** The complete configuration: `config.core.parallelism`. */
export type ConfigValues = {
  [S in keyof OptionTable]: {
    [N in keyof OptionTable[S]]: OptionTable[S][N] extends OptionSpec ? ValueOf<OptionTable[S][N]> : never;
  };
};
