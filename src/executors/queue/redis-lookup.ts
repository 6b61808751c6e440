import type { Redis } from "ioredis";
import { byQueue } from "./broker.ts";
import type { RedisKeys } from "./redis-keys.ts";

type Named = { queue: string; id: string };

/** How long a key that only shows whether the server takes writes is kept. */
const PROBE_MS = 1_000;

/**
 * Of these, the ids that are in no list of their queue, or whose data is gone: a server that is out of memory may delete either. The
 * places are read in the order in which a message goes through them; one that is given back meanwhile goes the other way, and is
 * found the second time.
 */
export async function findMissing(client: Redis, keys: RedisKeys, messages: readonly Named[]): Promise<string[]> {
  const absent = await findAbsent(client, keys, messages);
  return absent.length === 0 ? [] : (await findAbsent(client, keys, absent)).map(({ id }) => id);
}

async function findAbsent(client: Redis, keys: RedisKeys, messages: readonly Named[]): Promise<Named[]> {
  const absent = [...byQueue(messages)].map(([queue, ofQueue]) => absentFrom(client, keys, queue, ofQueue));
  return (await Promise.all(absent)).flat();
}

async function absentFrom(client: Redis, keys: RedisKeys, queue: string, messages: readonly Named[]): Promise<Named[]> {
  const pipeline = client.pipeline();
  // A primary that was demoted answers reads, with data that may be old; a write it refuses.
  pipeline.set(keys.probe, "1", "PX", PROBE_MS);
  pipeline.zmscore(keys.prioritized(queue), ...messages.map(({ id }) => id));
  pipeline.lrange(keys.waiting(queue), 0, -1);
  pipeline.lrange(keys.active(queue), 0, -1);
  for (const { id } of messages) pipeline.exists(keys.job(queue, id));
  const answers = ((await pipeline.exec()) ?? []).map(([error, answer]) => {
    if (error) throw error;
    return answer;
  });
  const [, scores, waiting, active, ...found] = answers as [string, (string | null)[], string[], string[], ...number[]];
  if (found.length !== messages.length) throw new Error("the broker's answer is not complete");
  const listed = new Set([...waiting, ...active]);
  return messages.filter(({ id }, at) => found[at] === 0 || ((scores[at] ?? null) === null && !listed.has(id)));
}
