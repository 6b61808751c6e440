import { queueNameSchema } from "../../../contracts/index.ts";
import { usageError } from "../../errors.ts";
import { shown } from "../../shown.ts";

/** Parses names separated by commas. Throws `usage_invalid`. */
export function readQueues(text: string): string[] {
  const queues = [...new Set(text.split(",").map((name) => name.trim()))].filter((name) => name !== "");
  if (queues.length === 0) throw usageError("Name at least one queue. Separate several queues with commas.");
  for (const queue of queues) {
    const { error } = queueNameSchema.safeParse(queue);
    if (error) throw usageError(`${shown(queue)} is no queue: ${error.issues[0]?.message}.`);
  }
  return queues;
}
