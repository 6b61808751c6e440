/** Tasks wait in a broker for separate workers, while workers and brokers are stopped or killed. */
import { sleep } from "../../../src/platform/index.ts";
import { type BrokerServer, startBroker } from "../../support/brokers.ts";
import { childrenOf, type QueueWorkerProcess, queueEnvironment, startQueueWorker } from "../../support/queue-workers.ts";
import type { DagSpec } from "../checker/index.ts";
import { type Fault, type FaultContext, type FaultReport, SHORT_TRY_LEASE, underLoad, WORKER_LOST } from "../fault.ts";
import type { System } from "../system.ts";
import { fanOut } from "../workload.ts";

/** Longer than the lease of a message (2 s, and the same again until the check) and that of a try (4 s). */
const PAUSE_MS = 7_000;
/** On a busy machine a silent try is found later than its lease ends. */
const PAUSE_MAX_MS = 25_000;
const LEASE_ENV = { BARAM__QUEUE__LEASE_SEC: "2", BARAM__WORKERS__MAX_FAILED_HEARTBEATS: "16" };

export const queueFaults: readonly Fault[] = (["redis", "rabbitmq"] as const).map((kind, at) => ({
  number: 60 + at,
  name: `queue-over-${kind}`,
  injects: `one of three queue workers is killed with SIGKILL, one stopped with its runners beyond every lease and continued, ${kind} is killed and started again meanwhile`,
  invariants: ["I1", "I2", "I3", "I4", "I8", "I10", "I11"],
  short: kind === "redis",
  timeoutSec: 300,
  run: (context) => breakQueue(context, kind),
}));

async function breakQueue(context: FaultContext, kind: BrokerServer["kind"]): Promise<FaultReport> {
  const { random, isShort } = context;
  const broker = await startBroker(kind);
  context.atEnd(() => broker.stop());
  const environment = { ...queueEnvironment(broker), ...SHORT_TRY_LEASE, ...LEASE_ENV };
  const workers: QueueWorkerProcess[] = [];
  context.atEnd(async () => {
    for (const worker of workers) await worker.dispose();
  });
  const made = { kill: 0, pause: 0, restart: 0 };
  const dags = isShort
    ? [slow(fanOut("q0", 120, random), random)]
    : ["q0", "q1", "q2", "q3"].map((id) => fanOut(id, 500, random));
  const report = await underLoad(
    context,
    {
      workload: { pools: [], dags },
      runsOfEach: 1,
      faultSec: isShort ? 6 : 90,
      expect: { lossReasons: WORKER_LOST, recoverySec: 60 },
      system: { environment, roles: { scheduler: 2, "api-server": 1, triggerer: 0 } },
    },
    async ({ system, fire, goesOn, wait }) => {
      let count = 0;
      const add = async () => {
        const given = { config: system.config, apiUrl: system.proxy.url, environment, name: `w${++count}` };
        workers.push(await startQueueWorker({ ...given, args: ["--concurrency", "4"] }));
      };
      for (let worker = 0; worker < 3; worker++) await add();
      await system.untilProgress(0.05);
      while (await goesOn()) {
        const paused = await busyOne(system, workers);
        if (!paused) continue;
        const pausing = pauseOne(system, paused);
        const others = workers.filter((one) => one !== paused);
        const victim = random.pick(others);
        workers.splice(workers.indexOf(victim), 1);
        victim.signal("SIGKILL");
        await victim.ended;
        await victim.dispose();
        made.kill++;
        await add();
        await sleep(random.between(0, 1_500));
        await broker.kill();
        await sleep(random.between(200, 1_500));
        await broker.restart();
        made.restart++;
        if (await pausing) made.pause++;
        await wait(300, 1_500);
      }
      if (Object.values(made).every((times) => times > 0)) fire(made.kill + made.pause + made.restart);
    },
  );
  return { ...report, note: `${report.note}; ${made.kill} killed, ${made.pause} paused, ${made.restart} restarts of ${kind}` };
}

/** Makes the tasks longer, so that few of them take as long as many. */
function slow(dag: DagSpec, random: FaultContext["random"]): DagSpec {
  return { ...dag, tasks: dag.tasks.map((task) => ({ ...task, durationMs: random.between(300, 900) })) };
}

/** A worker that is running a try; null = there is none. */
async function busyOne({ store }: System, workers: readonly QueueWorkerProcess[]): Promise<QueueWorkerProcess | null> {
  const { rows } = await store.query<{ pid: number }>("select distinct pid from task_instance where state = 'running'");
  return workers.find((one) => rows.some(({ pid }) => pid === one.pid)) ?? null;
}

/** Stops a worker with its runners while it has tries, until these were given to another worker. Returns whether they were. */
async function pauseOne({ store }: System, worker: QueueWorkerProcess): Promise<boolean> {
  const lost = async () => {
    const sql = "select count(*)::int as n from task_instance_history where reason like 'WorkerLostError%' and pid = $1";
    return (await store.query<{ n: number }>(sql, [worker.pid])).rows[0]?.n ?? 0;
  };
  const before = await lost();
  const pids = [worker.pid, ...childrenOf(worker.pid)];
  const send = (signal: NodeJS.Signals) => {
    for (const pid of pids) {
      try {
        process.kill(pid, signal);
      } catch {
        // A runner may have just ended.
      }
    }
  };
  send("SIGSTOP");
  try {
    const deadline = Date.now() + PAUSE_MAX_MS;
    await sleep(PAUSE_MS);
    while ((await lost()) <= before) {
      if (Date.now() >= deadline) return false;
      await sleep(200);
    }
    return true;
  } finally {
    send("SIGCONT");
  }
}
