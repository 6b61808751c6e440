/**
 * Runs each workload as an ECS task. A workload is held by one of two parts, and counts towards `parallelism` in both:
 * - the launch queue: RunTask has not answered yet. It moves on to the watch, is refused, or is returned when this scheduler stops;
 * - the watch: ECS runs it, under an ARN that the scheduler stores. It is removed when the task has stopped. The outcome of a try
 *   comes through the execution API, never from here. For a stopped task this executor reports `lost`, or `not_started` if its
 *   container certainly never ran; the scheduler uses that only if the try has not reported.
 *
 * RunTask gets the try's id as clientToken, which is stored in the database before. A repeated request, also of another scheduler,
 * gets the same task from AWS. A failed container is never run again from here: the task's `retries` decide that.
 */
import type { ConflictException, RunTaskCommandOutput } from "@aws-sdk/client-ecs";
import { type JsonObject, type Workload, workloadId } from "../../contracts/index.ts";
import { BaramError, type Logger } from "../../platform/index.ts";
import { isDenied } from "../aws/check-failed.ts";
import type { AwsAccess } from "../aws/client-settings.ts";
import { faultOf } from "../aws/fault-of.ts";
import { createLaunchQueue, type Launch } from "../aws/launch-queue.ts";
import { createStartCount } from "../aws/start-count.ts";
import { tryKeyOf } from "../aws/workload-names.ts";
import type { Executor, ExecutorEvent, ExecutorOptions, FindEnded } from "../contract.ts";
import { checkEcs, checkNetwork } from "./check-ecs.ts";
import { connectEcs, type EcsApi } from "./ecs-api.ts";
import { composeRunTask } from "./run-task-request.ts";
import { createTaskWatch } from "./task-watch.ts";

export type EcsExecutorOptions = ExecutorOptions &
  AwsAccess & {
    cluster: string;
    containerName: string;
    taskDefinition: string;
    /** Arguments of RunTask that are the same for every workload, `taskDefinition` among them. */
    runTaskKwargs: JsonObject;
    /** Where containers reach Baram's API. */
    apiUrl: string;
    maxRunTaskAttempts: number;
    runTaskPerSec: number;
    retryDelayMs(failed: number): number;
    pollMs: number;
    missingGraceMs: number;
    findEnded: FindEnded;
    checkHealthOnStartup: boolean;
  };

const TAKEN_BACK = "Baram took the try back";

export function createEcsExecutor(options: EcsExecutorOptions, logger: Logger): Executor {
  const { name, containerName, cluster, apiUrl } = options;
  const starts = createStartCount();
  let events: ExecutorEvent[] = [];
  let connected: EcsApi | null = null;
  let base = options.runTaskKwargs;
  let isEnding = false;

  const api = (): EcsApi => {
    if (connected) return connected;
    throw new BaramError("aws_check_failed", `${name} was not started.`, { name });
  };
  const emit = (...told: ExecutorEvent[]) => {
    if (told.length === 0) return;
    events.push(...told);
    options.onEvent();
  };

  const launches = createLaunchQueue({
    launch,
    renew: () => api().renew(),
    maxAttempts: options.maxRunTaskAttempts,
    perSec: options.runTaskPerSec,
    retryDelayMs: options.retryDelayMs,
    on: {
      launched(workload, arn, isDropped) {
        const id = workloadId(workload);
        watch.add({ id, tryKey: tryKeyOf(workload), arn });
        if (isDropped) watch.stop(id, TAKEN_BACK);
        else emit({ id, kind: "launched", externalExecutorId: arn });
      },
      refused: (workload, reason) => emit({ id: workloadId(workload), kind: "refused", reason: `${name}: ${reason}` }),
      health: () => options.onEvent(),
    },
    logger,
  });
  const watch = createTaskWatch({
    api,
    cluster,
    containerName,
    pollMs: options.pollMs,
    missingGraceMs: options.missingGraceMs,
    findEnded: options.findEnded,
    ended(ends) {
      emit(
        ...ends
          .filter(({ isStopping }) => !isStopping)
          .map(({ id, tryKey, ending }): ExecutorEvent => {
            const { reason } = ending;
            if (!ending.ranNothing) return { id, kind: "lost", reason };
            const count = starts.add(tryKey);
            if (count < options.maxRunTaskAttempts) return { id, kind: "not_started", reason };
            return {
              id,
              kind: "refused",
              reason: `${count} ECS tasks of this try died before they ran; the last: ${reason}`,
            };
          }),
      );
      // Slots were freed.
      options.onEvent();
    },
    found: (id, arn) => emit({ id, kind: "launched", externalExecutorId: arn }),
    missing: (id, reason) => emit({ id, kind: "missing", reason }),
    logger,
  });

  async function launch(workload: Workload): Promise<Launch> {
    const request = composeRunTask(workload, { base, cluster, containerName, apiUrl });
    if (typeof request === "string") return { kind: "refused", reason: request };
    try {
      return launchOf(await api().runTask(request));
    } catch (error) {
      // An earlier request with this id was accepted, from a dead scheduler or with a lost answer.
      const [arn] =
        error instanceof Error && error.name === "ConflictException" ? ((error as ConflictException).resourceIds ?? []) : [];
      if (arn === undefined) throw error;
      logger.info({ id: workloadId(workload), arn }, "the try already has an ECS task; this scheduler adopts it");
      return { kind: "launched", externalExecutorId: arn };
    }
  }

  return {
    name,
    async start() {
      connected = await connectEcs(options);
      if (options.checkHealthOnStartup) await checkEcs(connected, options, logger);
      base = await withLaunchType(connected, base, logger);
    },
    slotsAvailable: () =>
      connected && !isEnding && launches.isHealthy() ? options.parallelism - launches.size() - watch.size() : 0,
    queue(workloads) {
      for (const workload of workloads) {
        if (isEnding) emit({ id: workloadId(workload), kind: "not_started", reason: "the scheduler is shutting down" });
        else launches.add(workload);
      }
    },
    takeEvents() {
      const taken = events;
      events = [];
      return taken;
    },
    async adopt(orphans) {
      if (isEnding || !connected) throw new BaramError("aws_check_failed", `${name} is not running here.`, { name });
      for (const { id, externalExecutorId, workload } of orphans) {
        if (launches.has(id) || watch.has(id)) continue;
        if (externalExecutorId === null && workload) launches.add(workload);
        else watch.add({ id, tryKey: workload ? tryKeyOf(workload) : id, arn: externalExecutorId });
      }
      return orphans.map(({ id }) => id);
    },
    revoke(id) {
      launches.remove(id);
      watch.stop(id, TAKEN_BACK);
    },
    async end() {
      isEnding = true;
      const left = await launches.close();
      emit(
        ...left.map(
          (workload): ExecutorEvent => ({
            id: workloadId(workload),
            kind: "not_started",
            reason: "the scheduler is shutting down",
          }),
        ),
      );
      await watch.close();
      connected?.close();
    },
  };
}

function launchOf({ tasks, failures }: RunTaskCommandOutput): Launch {
  const arn = tasks?.[0]?.taskArn;
  if (arn !== undefined) return { kind: "launched", externalExecutorId: arn };
  const said = (failures ?? []).map(({ reason, detail }) => [reason, detail].filter(Boolean).join(" ")).join("; ");
  return { kind: "not_now", reason: said || "RunTask answered with no task and no reason" };
}

/**
 * As in Airflow: if neither a launch type nor capacity providers are given, the cluster's default strategy is used, else Fargate.
 * Throws `config_invalid` if that needs a network, and none is configured.
 */
async function withLaunchType(api: EcsApi, base: JsonObject, logger: Logger): Promise<JsonObject> {
  const isGiven = base.launchType !== undefined || base.capacityProviderStrategy !== undefined;
  const strategy = isGiven ? [] : await defaultStrategy(api, logger);
  const whole = isGiven || strategy.length > 0 ? base : { ...base, launchType: "FARGATE" };
  checkNetwork(whole, strategy);
  return whole;
}

/** The capacity providers that AWS uses if a request names none. */
async function defaultStrategy(api: EcsApi, logger: Logger): Promise<string[]> {
  try {
    const cluster = await api.describeCluster();
    return (cluster?.defaultCapacityProviderStrategy ?? []).flatMap(({ capacityProvider }) => capacityProvider ?? []);
  } catch (error) {
    const neither =
      "[ecs_executor] sets neither launch_type nor capacity_provider_strategy, and the cluster's own cannot be read";
    if (isDenied(error)) {
      logger.warn({}, `${neither} without ecs:DescribeClusters: tasks are launched on FARGATE. Set one, or allow the action`);
      return [];
    }
    throw new BaramError("aws_check_failed", `${neither}: ${faultOf(error).message}. Set one, or correct the cause.`, {}, error);
  }
}
