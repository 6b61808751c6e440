/** Every queue and exchange of ours begins with the prefix, so that a user's rights can name them: `^baram\.`. */
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

/** What a queue of messages is declared as, by everyone alike: another declaration of the same name is refused. */
export function taskQueue(names: RabbitmqNames, queue: string) {
  return { queue: names.queue(queue), durable: true, arguments: { "x-max-priority": PRIORITY_MAX } };
}

/** Each costs the server memory in every queue; its own advice is ten at most. */
const PRIORITY_MAX = 9;

/** RabbitMQ knows a few priorities only, so it goes by a weight's magnitude: 1, 2–3, 4–7, … */
export function toRabbitmqPriority(weight: number): number {
  return weight < 1 ? 0 : Math.min(PRIORITY_MAX, Math.floor(Math.log2(weight)) + 1);
}
