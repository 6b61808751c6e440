import { type BrokerServer, startBroker } from "../support/brokers.ts";
import { type QueueWorkerProcess, queueEnvironment, startQueueWorker } from "../support/queue-workers.ts";
import { describeExecutor } from "./contract.ts";
import { type ContractSystem, type ExecutorFacts, type ExecutorRig, GRACE_SEC } from "./rig.ts";

const FACTS: ExecutorFacts = {
  name: "QueueExecutor",
  running: "goes on outside",
  keepsQueued: true,
  revokeStops: false,
  externalId: null,
  lossReason: /no heartbeat for .*: the worker died or cannot reach the API/,
};

async function makeRig(kind: BrokerServer["kind"]): Promise<ExecutorRig> {
  const broker = await startBroker(kind);
  const environment = queueEnvironment(broker, { BARAM__CORE__KILLED_TASK_CLEANUP_TIME: String(GRACE_SEC) });
  let worker: QueueWorkerProcess | null = null;
  let system: ContractSystem | null = null;
  let count = 0;

  async function startWorker(): Promise<void> {
    if (!system) return;
    const { config, apiUrl } = system.engine;
    worker = await startQueueWorker({ config, apiUrl, environment, name: `worker-${++count}`, args: ["--concurrency", "4"] });
  }
  return {
    facts: FACTS,
    environment,
    async start(started) {
      system = started;
      await startWorker();
    },
    async killWorker() {
      await worker?.dispose();
      await startWorker();
    },
    async close() {
      await worker?.dispose();
      await broker.stop();
    },
  };
}

for (const kind of ["redis", "rabbitmq"] as const) describeExecutor(`QueueExecutor over ${kind}`, () => makeRig(kind));
