import { type Config, EVERYTHING, loadConfig } from "../config/index.ts";
import { type InvocationResult, invocationSchema, sendResult } from "../executors/index.ts";
import { BaramError, createLogger, type Logger, startTimer, toError } from "../platform/index.ts";
import { hideSecrets } from "./hide-secrets.ts";
import { logOptionsOf } from "./log-options.ts";
import { runOneWorkload } from "./worker-run/run-one-workload.ts";

/** The part of Lambda's context that is used here. */
export type LambdaContext = { readonly awsRequestId: string; getRemainingTimeInMillis(): number };

/** The only folder that a function may write to. */
const WRITABLE = "/tmp";
/**
 * The part of the function's time limit that is reserved for stopping the task, reporting its end and shipping its log; half of a
 * short limit.
 */
const STOP_BEFORE_END_MS = 30_000;

/**
 * `baram/lambda`: the handler of the function that LambdaExecutor invokes. Runs one workload in this environment, and sends a
 * message to the result queue when it is done; the task's outcome goes to Baram's API. A repeated delivery starts nothing, since
 * the API lets only one start. Throws, so that Lambda delivers the event again, only if the message cannot be sent.
 */
export async function handler(event: unknown, context: LambdaContext): Promise<InvocationResult> {
  const remainingMs = context.getRemainingTimeInMillis();
  const keptMs = Math.min(STOP_BEFORE_END_MS, remainingMs / 2);
  const config = withGrace(loadConfig(undefined, WRITABLE), keptMs / 3_000);
  const logger = createLogger({ ...logOptionsOf(config), role: "lambda" });
  hideSecrets(config, logger, EVERYTHING);
  const parsed = invocationSchema.safeParse(event);
  // Not an event of Baram's: there is no result queue, and a repeated delivery would not help.
  if (!parsed.success)
    throw new BaramError(
      "workload_invalid",
      `The event is no invocation of a LambdaExecutor of this version of Baram: ${parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ")}.`,
    );
  const { task_key, workload, api_url: apiUrl, queue_url } = parsed.data;
  const stop = new AbortController();
  const timer = startTimer(remainingMs - keptMs, () =>
    stop.abort(
      new Error(
        "the time of the Lambda function was nearly over, and it ends with its function: give the task another executor, or the function a longer timeout (15 min at most)",
      ),
    ),
  );
  try {
    const failure = await run(() => runOneWorkload(workload, { config, apiUrl, logger, stop: stop.signal }), logger);
    const result = { task_key, return_code: failure === null ? 0 : 1, ...(failure === null ? {} : { reason: failure }) };
    await sendResult(queue_url, result);
    return result;
  } finally {
    timer.cancel();
  }
}

/** A third of the reserved time is the task's grace period. */
function withGrace(config: Config, graceSec: number): Config {
  const { core } = config;
  return { ...config, core: { ...core, killed_task_cleanup_time: Math.min(core.killed_task_cleanup_time, graceSec) } };
}

/** null: the API has the outcome, or refused it because another delivery of the event was first. */
async function run(work: () => Promise<string>, logger: Logger): Promise<string | null> {
  try {
    logger.info({}, await work());
    return null;
  } catch (error) {
    const { message } = toError(error);
    logger.error({}, message);
    return error instanceof BaramError && error.code === "workload_refused" ? null : message;
  }
}
