/** A message that is to wait in a queue until a worker takes it. */
export type BrokerMessage = {
  queue: string;
  /** The broker's key: if the broker supports it, an id published twice is queued once. */
  id: string;
  body: string;
  /** A task's priority weight: the higher, the sooner. */
  priority: number;
};

/** A message delivered to a worker. Until it is acknowledged, the broker delivers it to another worker if this one dies. */
export type Delivery = {
  readonly queue: string;
  readonly id: string;
  readonly body: string;
  /** Acknowledges it. Neither function rejects: losing a delivery does no harm, since the API guards every start. */
  ack(): Promise<void>;
  /** Returns it to the queue for any worker. */
  requeue(): Promise<void>;
};

/** By the names of their queues. */
export function byQueue<T extends { queue: string }>(messages: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of messages) {
    const group = groups.get(one.queue);
    if (group) group.push(one);
    else groups.set(one.queue, [one]);
  }
  return groups;
}

export type QueueCount = {
  queue: string;
  waiting: number;
  /** Delivered and not acknowledged; null if the broker does not tell. */
  taken: number | null;
  /** Whether a worker consumes from it now. */
  isServed: boolean;
};

export type ConsumeOptions = {
  queues: readonly string[];
  /** The most unacknowledged deliveries, over all queues. */
  limit: number;
  onDelivery(delivery: Delivery): void;
};

/** A worker's consumer. It survives an outage of the broker; unacknowledged messages may then be delivered again. */
export type Consumer = {
  setQueues(queues: readonly string[]): Promise<void>;
  setLimit(limit: number): Promise<void>;
  /** Takes no more messages. Delivered ones can still be acknowledged. */
  pause(): Promise<void>;
  /** Returns unacknowledged messages to the queue. */
  stop(): Promise<void>;
};

export type EndsWatcher = {
  /** Acknowledged messages of all workers. After an outage some may be missing: see `missing`. */
  onEnded(ids: readonly string[]): void;
  /** Published messages that the broker does not have any more: they were acknowledged, or are lost. */
  onGone(ids: readonly string[]): void;
};

/**
 * Holds workloads until workers take them. Delivery is at least once: a message may be delivered again at any time, in particular
 * after a worker was away for longer than the lease. The execution API, not the broker, prevents a try from running twice.
 */
export type Broker = {
  /** Connects. Rejects with `broker_unreachable`, `broker_refused` or `broker_too_old`. Later outages are waited out. */
  start(): Promise<void>;
  /** Resolves when the broker has stored them all; if it rejects, the same messages may be published again. */
  publish(messages: readonly BrokerMessage[]): Promise<void>;
  /** Removes a waiting message if the broker supports that; a worker that gets it after all is refused its start. */
  remove(queue: string, id: string): Promise<void>;
  /** Of these, the ids that the broker certainly does not have. Rejects if it cannot answer now. */
  missing(messages: readonly { queue: string; id: string }[]): Promise<string[]>;
  counts(queues: readonly string[]): Promise<QueueCount[]>;
  watchEnds(watcher: EndsWatcher): Promise<void>;
  consume(options: ConsumeOptions): Promise<Consumer>;
  close(): Promise<void>;
};

export type BrokerOptions = {
  /** redis:, rediss:, amqp: or amqps:, with user and password. */
  url: string;
  /** Prefix of every key or queue, so that others may use the same server. */
  prefix: string;
  /** A delivery whose worker is silent for this long goes to another worker. */
  leaseSec: number;
  /** How long one call may take. */
  operationTimeoutMs: number;
  /** PEM texts; null = the system's authorities, and no certificate of our own. */
  tls: { ca: string | null; cert: string | null; key: string | null };
};
