import { hostname } from "node:os";
import { loadConfig } from "../../../config/index.ts";
import { workerNameSchema } from "../../../contracts/index.ts";
import { type Bounds, readBounds, runWorker } from "../../../main/worker.ts";
import { toError } from "../../../platform/index.ts";
import { usageError } from "../../errors.ts";
import { shown } from "../../shown.ts";
import { readQueues } from "./read-queues.ts";

export type StartOptions = { queues?: string; concurrency?: number; autoscale?: string; name?: string };

export async function startOne(options: StartOptions): Promise<void> {
  const config = loadConfig();
  const name = options.name ?? hostname();
  const checked = workerNameSchema.safeParse(name);
  if (!checked.success) throw usageError(`The worker's name is ${shown(name)}: ${checked.error.issues[0]?.message}.`);
  if (options.autoscale !== undefined && options.concurrency !== undefined)
    throw usageError("--autoscale and --concurrency exclude each other: give one.");
  const fixed = options.concurrency ?? config.queue.worker_concurrency;
  const scaled = options.autoscale ?? (options.concurrency === undefined ? config.queue.worker_autoscale : null);
  await runWorker(config, {
    name,
    queues: readQueues(options.queues ?? config.operators.default_queue),
    bounds: scaled === null ? { max: fixed, min: fixed } : boundsOf(scaled, options),
  });
}

/** Wrong in the flag it is wrong usage, wrong in the configuration it is not. */
function boundsOf(text: string, { autoscale }: StartOptions): Bounds {
  try {
    return readBounds(text);
  } catch (error) {
    throw autoscale === undefined ? error : usageError(`--autoscale: ${toError(error).message}`);
  }
}
