/**
 * The way of a workload through a worker: it is taken from the broker and passed to the supervisor, which asks the API to start it,
 * runs it and reports its end. Only then, or if the API refused the start, it is acknowledged. Until then the broker delivers it to
 * another worker if this one is silent for longer than the lease; the API refuses the second start. What the API refuses because of
 * the worker's own token goes back: another worker can start it.
 */
import { workloadId, workloadSchema } from "../../contracts/index.ts";
import type { Broker, Consumer, Delivery } from "../../executors/queue/index.ts";
import type { Logger } from "../../platform/index.ts";
import { createSupervisor, type SupervisorOptions } from "../../worker/supervisor/index.ts";
import { type Bounds, nextScale, type Scale } from "./autoscale.ts";
import type { WorkerToken } from "./worker-token.ts";

export type QueueWorkerOptions = {
  supervisor: SupervisorOptions;
  /** Without a good token nothing is taken: it could not be started. */
  token: Pick<WorkerToken, "current" | "isGood" | "refused">;
  queues: readonly string[];
  /** Both the same = no scaling. */
  bounds: Bounds;
  prefetchMultiplier: number;
};

export type QueueWorker = {
  queues(): readonly string[];
  setQueues(queues: readonly string[]): Promise<void>;
  /** Takes messages, or takes none, as the token allows. */
  heedToken(): Promise<void>;
  concurrency(): number;
  active(): number;
  /** Takes no more, lets running tasks end within the grace period, and returns those that have not started. */
  drain(graceMs: number): Promise<void>;
};

/**
 * A workload that could not be started here, e.g. because its module is missing, is returned after this delay, so that it does not
 * loop.
 */
const GIVE_BACK_MS = 2_000;
const SCALE_EVERY_MS = 1_000;
/** The API's word for a start without a worker's token that it takes. */
const WORKER_TOKEN_NEEDED = "worker_token_needed";

export async function startQueueWorker(broker: Broker, options: QueueWorkerOptions, logger: Logger): Promise<QueueWorker> {
  /** Several deliveries of one id: it was redelivered while this worker had it. All are settled together. */
  const inHand = new Map<string, Delivery[]>();
  /** By id: the worker's token when it was taken, which a refusal is about. */
  const tokensAtStart = new Map<string, string | null>();
  const settling = new Set<Promise<unknown>>();
  let queues = [...options.queues];
  let scale: Scale = { limit: options.bounds.min, idleSinceMs: null };
  let isDraining = false;

  const supervisor = createSupervisor(
    options.supervisor,
    {
      done(id, end) {
        const isOfToken = end.how === "refused" && end.code === WORKER_TOKEN_NEEDED;
        // First, so that it is not delivered here again.
        if (isOfToken) options.token.refused(tokensAtStart.get(id) ?? null);
        settle(id, (delivery) => (isOfToken ? delivery.requeue() : delivery.ack()));
      },
      notStarted(id, reason) {
        logger[isDraining ? "debug" : "warn"]({ id, reason }, "a workload could not be started here; it is given back");
        const giveBack = () => settle(id, (delivery) => delivery.requeue());
        if (isDraining) giveBack();
        else setTimeout(giveBack, GIVE_BACK_MS);
      },
    },
    logger,
  );

  function settle(id: string, how: (delivery: Delivery) => Promise<void>): void {
    const deliveries = inHand.get(id) ?? [];
    inHand.delete(id);
    tokensAtStart.delete(id);
    for (const delivery of deliveries) {
      const work = how(delivery).finally(() => settling.delete(work));
      settling.add(work);
    }
  }

  function onDelivery(delivery: Delivery): void {
    // It was on its way when the token ended.
    if (!options.token.isGood()) return void delivery.requeue();
    const workload = readWorkload(delivery, logger);
    if (!workload) {
      void delivery.ack();
      return;
    }
    const known = inHand.get(delivery.id);
    if (known) known.push(delivery);
    else inHand.set(delivery.id, [delivery]);
    if (!known) tokensAtStart.set(delivery.id, options.token.current());
    supervisor.accept([workload]);
  }

  const limitOf = (concurrency: number) => concurrency * options.prefetchMultiplier;
  const consumed = () => (options.token.isGood() ? queues : []);
  const first = consumed();
  const consumer: Consumer = await broker.consume({ queues: first, limit: limitOf(scale.limit), onDelivery });
  // The token may have changed meanwhile: what is taken and given back at once comes again at once, without end.
  if (consumed().length !== first.length) await consumer.setQueues(consumed());
  const scaling = setInterval(() => {
    const next = nextScale(scale, inHand.size, options.bounds, Date.now());
    if (next.limit !== scale.limit) {
      logger.info({ from: scale.limit, to: next.limit, active: inHand.size }, "the worker scales");
      void consumer.setLimit(limitOf(next.limit));
    }
    scale = next;
  }, SCALE_EVERY_MS);

  return {
    queues: () => queues,
    async setQueues(next) {
      queues = [...next];
      await consumer.setQueues(consumed());
    },
    heedToken: () => consumer.setQueues(consumed()),
    concurrency: () => scale.limit,
    active: () => inHand.size,
    async drain(graceMs) {
      isDraining = true;
      clearInterval(scaling);
      await consumer.pause();
      await supervisor.drain(graceMs);
      await Promise.allSettled([...settling]);
      await consumer.stop();
    },
  };
}

/** null = not Baram's, or damaged: it is dropped, or it would be redelivered for ever. Its try is requeued by the scheduler. */
function readWorkload({ id, body, queue }: Delivery, logger: Logger) {
  let given: unknown;
  try {
    given = JSON.parse(body);
  } catch {
    given = null;
  }
  const { data } = workloadSchema.safeParse(given);
  if (data && workloadId(data) === id) return data;
  logger.error({ id, queue }, "dropped a message that is not a workload of Baram's");
  return null;
}
