/** Every queue and exchange has the prefix, so that a user's permissions can name them: `^baram\.`. */
export function rabbitmqNames(prefix: string) {
  const tasks = `${prefix}.tasks.`;
  return {
    queue: (name: string) => `${tasks}${name}`,
    /** Fanout exchange: the ids of acknowledged messages. */
    ends: `${prefix}.ends`,
    endsQueue: (id: string) => `${prefix}.ends.${id}`,
  };
}

export type RabbitmqNames = ReturnType<typeof rabbitmqNames>;

/** How a message queue is declared. The same everywhere: a different declaration of the same name is refused. */
export function taskQueue(names: RabbitmqNames, queue: string) {
  return { queue: names.queue(queue), durable: true, arguments: { "x-max-priority": PRIORITY_MAX } };
}

/** Each priority costs the server memory in every queue; RabbitMQ recommends ten at most. */
const PRIORITY_MAX = 9;

/** RabbitMQ has few priorities, so a weight is mapped by its magnitude: 1, 2–3, 4–7, … */
export function toRabbitmqPriority(weight: number): number {
  return weight < 1 ? 0 : Math.min(PRIORITY_MAX, Math.floor(Math.log2(weight)) + 1);
}
