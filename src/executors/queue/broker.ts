/** A message that is to wait in a queue until a worker takes it. */
export type BrokerMessage = {
  queue: string;
  /** The broker's key: where the broker can, the same id published twice waits once. */
  id: string;
  body: string;
  /** A task's priority weight: the higher, the sooner. */
  priority: number;
};

/** A message in a worker's hands. It is the broker's still: not acknowledged when its worker dies, it goes to another. */
export type Delivery = {
  readonly queue: string;
  readonly id: string;
  readonly body: string;
  /** It is done with. Neither rejects: a delivery that is not ours any more is nobody's loss, since the API guards every start. */
  ack(): Promise<void>;
  /** Gives it back; another worker, or this one, gets it. */
  requeue(): Promise<void>;
};

export type QueueCount = {
  queue: string;
  waiting: number;
  /** In workers' hands; null where the broker does not tell. */
  taken: number | null;
  /** Whether a worker takes from it now. */
  isServed: boolean;
};

export type ConsumeOptions = {
  queues: readonly string[];
  /** Deliveries in hand at most, of all queues together. */
  limit: number;
  onDelivery(delivery: Delivery): void;
};

/** A worker's way of taking messages. It outlasts an outage of the broker; what was in hand may then be delivered again. */
export type Consumer = {
  setQueues(queues: readonly string[]): Promise<void>;
  setLimit(limit: number): Promise<void>;
  /** Takes no more. What is in hand can still be acknowledged. */
  pause(): Promise<void>;
  /** Gives back what is in hand. */
  stop(): Promise<void>;
};

/**
 * Where workloads wait for workers. At least once: a message may be delivered again at any time, in particular when a worker
 * was away for longer than the lease. What keeps a try from running twice is the execution API, never the broker.
 */
export type Broker = {
  /** Connects. Rejects with `broker_unreachable`, `broker_refused` or `broker_too_old`. Later outages are waited out. */
  start(): Promise<void>;
  /** Resolves when the broker has them all; where it rejects, the same may be published again. */
  publish(messages: readonly BrokerMessage[]): Promise<void>;
  /** Takes a waiting message out, where the broker can do so; a worker that gets it after all is refused its start. */
  remove(queue: string, id: string): Promise<void>;
  /** Of these, the ids that the broker certainly does not have. Rejects if it cannot answer now. */
  missing(messages: readonly { queue: string; id: string }[]): Promise<string[]>;
  counts(queues: readonly string[]): Promise<QueueCount[]>;
  /** Calls back with the ids that workers have acknowledged, anybody's. After an outage some may be left out: see `missing`. */
  watchEnds(onEnded: (ids: readonly string[]) => void): Promise<void>;
  consume(options: ConsumeOptions): Promise<Consumer>;
  close(): Promise<void>;
};

export type BrokerOptions = {
  /** redis:, rediss:, amqp: or amqps:, with user and password. */
  url: string;
  /** Before every key or queue of ours, so that others may use the same server. */
  prefix: string;
  /** A delivery whose worker is silent for this long goes to another. */
  leaseSec: number;
  /** How long one call may take. */
  operationTimeoutMs: number;
  /** PEM texts; null = the system's authorities, and no certificate of our own. */
  tls: { ca: string | null; cert: string | null; key: string | null };
};
