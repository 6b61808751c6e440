/** All API servers are away for longer than any heartbeat may be late, while many workers of one kind run tasks. */
import { sleep } from "../../../src/platform/index.ts";
import { startAwsRig } from "../../support/aws/aws-rig.ts";
import { putBaramOnEcs, putBaramOnLambda } from "../../support/aws/baram-on-aws.ts";
import { startBroker } from "../../support/brokers.ts";
import { type QueueWorkerProcess, queueEnvironment, startQueueWorker } from "../../support/queue-workers.ts";
import type { DagSpec } from "../checker/index.ts";
import { type Fault, type FaultContext, type FaultReport, underLoad } from "../fault.ts";
import type { Random } from "../random.ts";
import { FAST, type System } from "../system.ts";

/** `CHAOS_OUTAGE_SEC=300 npm run chaos -- --only 62,63,64,65` is the outage of five minutes. */
const OUTAGE_SEC = Number(process.env.CHAOS_OUTAGE_SEC ?? 25);
/** For the start of all workers of a kind, each a process or two, on two cores. */
const LAUNCH_SEC = 60;

type Kind = {
  name: string;
  /** Whether the short form contains it. */
  short: boolean;
  /** Starts what is outside; returns the options of the roles, and what starts the workers beside them. */
  start(
    context: FaultContext,
    count: number,
  ): Promise<{ environment: Record<string, string>; startWorkers?(system: System): Promise<void> }>;
};

/** The settings of the roles' schedulers, for workers that get an environment of their own. */
const HEARTBEAT_SEC = FAST.BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC;

const KINDS: readonly Kind[] = [
  { name: "local", short: true, start: async () => ({ environment: {} }) },
  {
    name: "queue",
    short: true,
    async start(context, count) {
      const broker = await startBroker("redis");
      context.atEnd(() => broker.stop());
      const environment = queueEnvironment(broker);
      return {
        environment,
        async startWorkers({ config, proxy }) {
          const workers: QueueWorkerProcess[] = [];
          context.atEnd(async () => {
            for (const worker of workers) await worker.dispose();
          });
          const startOne = async (_: unknown, at: number) => {
            const given = { config, apiUrl: proxy.url, environment: { ...environment }, name: `w${at}` };
            workers.push(await startQueueWorker({ ...given, args: ["--concurrency", "1"] }));
          };
          await Promise.all(Array.from({ length: count }, startOne));
        },
      };
    },
  },
  {
    name: "ecs",
    short: false,
    async start(context) {
      const rig = await startAwsRig();
      context.atEnd(() => rig.stop());
      const options = await putBaramOnEcs(rig, { BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC: HEARTBEAT_SEC });
      return { environment: { ...rig.environment, BARAM__CORE__EXECUTOR: "EcsExecutor", ...options } };
    },
  },
  {
    name: "lambda",
    short: false,
    async start(context) {
      const rig = await startAwsRig();
      context.atEnd(() => rig.stop());
      const options = await putBaramOnLambda(rig, {
        timeoutMs: 900_000,
        environment: { BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC: HEARTBEAT_SEC },
      });
      return { environment: { ...rig.environment, BARAM__CORE__EXECUTOR: "LambdaExecutor", ...options } };
    },
  },
];

export const apiOutageFaults: readonly Fault[] = KINDS.map((kind, at) => ({
  number: 62 + at,
  name: `api-outage-${kind.name}`,
  injects: `all API servers are killed while 20 ${kind.name} workers run tasks, and are away for several heartbeat timeouts; some tasks end meanwhile`,
  invariants: ["I1", "I3", "I4", "I10", "I11", "I12"],
  short: kind.short,
  timeoutSec: 240 + 2 * OUTAGE_SEC,
  run: (context) => outage(context, kind),
}));

async function outage(context: FaultContext, kind: Kind): Promise<FaultReport> {
  const { isShort, random } = context;
  const count = isShort ? 6 : 20;
  const launchSec = isShort ? 10 : LAUNCH_SEC;
  const { environment, startWorkers } = await kind.start(context, count);
  let awaySec = 0;
  const report = await underLoad(
    context,
    {
      workload: { pools: [], dags: [together("held", count, launchSec, random)] },
      runsOfEach: 1,
      faultSec: launchSec + OUTAGE_SEC + 60,
      // No try may be lost: an outage explains no retry.
      expect: { parallelism: count, lossReasons: [], recoverySec: launchSec + OUTAGE_SEC + 40 },
      system: {
        environment: {
          ...environment,
          ...TIMEOUTS,
          BARAM__CORE__PARALLELISM: String(count),
        },
        roles: { scheduler: 2, "api-server": 1, triggerer: 0 },
      },
    },
    async ({ system, fire }) => {
      await startWorkers?.(system);
      const running = await untilStarted(system, count);
      const servers = system.roles("api-server");
      for (const server of servers) server.end("SIGKILL");
      const from = Date.now();
      await sleep(OUTAGE_SEC * 1_000);
      for (const { port } of servers) system.startRole("api-server", port === null ? {} : { port });
      awaySec = (Date.now() - from) / 1_000;
      fire(running);
    },
  );
  return { ...report, note: `${report.note}; ${count} workers without an API for ${awaySec.toFixed(0)} s` };
}

const TIMEOUTS = {
  BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC: HEARTBEAT_SEC,
  BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT: FAST.BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT,
  BARAM__WORKERS__MAX_FAILED_HEARTBEATS: "0",
  BARAM__WORKERS__EXECUTION_API_RETRY_WINDOW: "600",
};

/** Tasks that all run at once: some end while the API is away, the others after it is back. */
function together(dagId: string, count: number, launchSec: number, random: Random): DagSpec {
  const tasks = Array.from({ length: count }, (_, at) => ({
    taskId: `t${at}`,
    upstream: [],
    retries: 3,
    failTries: 0,
    durationMs: random.between(launchSec * 1_000, (launchSec + OUTAGE_SEC + 10) * 1_000),
  }));
  return { dagId, schedule: null, maxActiveTasks: count, maxActiveRuns: 1, tasks };
}

/** Resolves with how many of them are still running. */
async function untilStarted(system: System, count: number): Promise<number> {
  for (let waited = 0; ; waited += 100) {
    const { rows } = await system.store.query<{ running: number; over: number }>(
      "select count(*) filter (where state = 'running')::int as running, count(*) filter (where state = 'success')::int as over from task_instance",
    );
    const { running = 0, over = 0 } = rows[0] ?? {};
    if (running + over >= count) return running;
    if (waited > 120_000) throw new Error(`only ${running + over} of ${count} tasks have started after two minutes`);
    await sleep(100);
  }
}
