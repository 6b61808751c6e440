/** Every key and channel has the prefix, so that an ACL can name them: `~baram:*` and `&baram:*`. */
export function redisKeys(prefix: string) {
  const bull = `${prefix}:queue`;
  return {
    /** BullMQ's own keys are below it. */
    bull,
    job: (queue: string, id: string) => `${bull}:${queue}:${id}`,
    /** The places of a message that waits or is taken: a sorted set, and two lists. */
    prioritized: (queue: string) => `${bull}:${queue}:prioritized`,
    waiting: (queue: string) => `${bull}:${queue}:wait`,
    active: (queue: string) => `${bull}:${queue}:active`,
    /** BullMQ adds a member here when there is a job to fetch. */
    marker: (queue: string) => `${bull}:${queue}:marker`,
    /** Set of all queues that were ever published to. */
    queues: `${prefix}:queues`,
    /** Exists while a worker consumes from the queue. */
    served: (queue: string) => `${prefix}:served:${queue}`,
    /** Written to see whether the server takes writes. */
    probe: `${prefix}:probe`,
    /** Channel: ids of acknowledged messages, separated by commas. */
    ends: `${prefix}:ends`,
  };
}

export type RedisKeys = ReturnType<typeof redisKeys>;
