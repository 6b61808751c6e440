import { randomUUID } from "node:crypto";
import type { Channel, Connection } from "rabbitmq-client";
import { BaramError, toError } from "../../platform/index.ts";
import type { BrokerOptions } from "./broker.ts";
import { type BrokerAddress, withoutPassword } from "./broker-url.ts";
import { endsExchange, onChannel, toEnds, wordsOf } from "./rabbitmq-channels.ts";
import { type RabbitmqNames, rabbitmqNames, taskQueue } from "./rabbitmq-names.ts";

/** `right`: what the user needs for it. */
type Step = { right: string; work(channel: Channel): Promise<unknown> };

/**
 * Does once, with queues of its own, everything that schedulers and workers do later, so that a missing right is known at the start
 * and not at the first task. Rejects with `broker_refused`.
 */
export async function checkRabbitmq(connection: Connection, address: BrokerAddress, options: BrokerOptions): Promise<void> {
  const names = rabbitmqNames(options.prefix);
  await onChannel(connection, options.operationTimeoutMs, async (channel) => {
    for (const { right, work } of stepsFor(names)) {
      try {
        await work(channel);
      } catch (error) {
        if (!/ACCESS[_-]REFUSED/.test(wordsOf(error))) throw error;
        throw refusal(right, toError(error).message, address, options, error);
      }
    }
  }).catch((error) => {
    if (error instanceof BaramError) throw error;
    const message = withoutPassword(toError(error).message, address);
    throw new BaramError(
      "broker_refused",
      `The broker ${address.shown} failed the check at the start: ${message}. The check declares, fills, reads and deletes a queue of its own.`,
      { broker: address.shown },
      error,
    );
  });
}

/** In this order; the queues are exclusive, so that they go with the connection if a step fails. */
function stepsFor(names: RabbitmqNames): Step[] {
  const id = `check-${randomUUID()}`;
  const tasks = { ...taskQueue(names, id), durable: false, exclusive: true };
  const ends = names.endsQueue(id);
  const toTasks = { routingKey: tasks.queue, mandatory: true, messageId: id, contentType: "text/plain" };
  return [
    { right: `configure on ${tasks.queue}`, work: (channel) => channel.queueDeclare(tasks) },
    {
      right: "write on amq.default",
      async work(channel) {
        await channel.confirmSelect();
        await channel.basicPublish(toTasks, "check");
      },
    },
    {
      right: `read on ${tasks.queue}`,
      async work(channel) {
        await channel.basicQos({ prefetchCount: 1, global: true });
        let onTaken = (_message: { deliveryTag: number }) => {};
        const taken = new Promise<{ deliveryTag: number }>((resolve) => {
          onTaken = resolve;
        });
        const { consumerTag } = await channel.basicConsume({ queue: tasks.queue }, (message) => onTaken(message));
        channel.basicAck({ deliveryTag: (await taken).deliveryTag });
        await channel.basicCancel(consumerTag);
      },
    },
    { right: `configure on ${names.ends}`, work: (channel) => channel.exchangeDeclare(endsExchange(names)) },
    { right: `configure on ${ends}`, work: (channel) => channel.queueDeclare({ queue: ends, exclusive: true }) },
    {
      right: `read on ${names.ends}, and write on ${ends}`,
      work: (channel) => channel.queueBind({ queue: ends, exchange: names.ends }),
    },
    // No id: the schedulers that listen ignore it.
    { right: `write on ${names.ends}`, work: (channel) => channel.basicPublish(toEnds(names), "") },
    { right: `configure on ${ends}`, work: (channel) => channel.queueDelete({ queue: ends }) },
    { right: `configure on ${tasks.queue}`, work: (channel) => channel.queueDelete({ queue: tasks.queue }) },
  ];
}

/** The three patterns of `rabbitmqctl set_permissions`, as docs/executors/queue.md names them. */
function leastRabbitmqRights(prefix: string): [configure: string, write: string, read: string] {
  const own = `^${prefix.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}\\.`;
  return [own, `${own}|^amq\\.default$`, own];
}

function refusal(right: string, message: string, address: BrokerAddress, options: BrokerOptions, cause: unknown): BaramError {
  const user = address.user || "guest";
  const space = address.space || "/";
  const rights = leastRabbitmqRights(options.prefix)
    .map((pattern) => `'${pattern}'`)
    .join(" ");
  return new BaramError(
    "broker_refused",
    `The broker ${address.shown} does not let the user "${user}" do what is needed; the missing right is ${right}: ${withoutPassword(message, address)}. Grant all that Baram needs with: rabbitmqctl set_permissions -p '${space}' '${user}' ${rights}`,
    { broker: address.shown, right },
    cause,
  );
}
