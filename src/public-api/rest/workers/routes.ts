import { z } from "@hono/zod-openapi";
import { queueNameSchema, workerNameSchema } from "../../../contracts/index.ts";
import {
  type ListedWorker,
  listWorkers,
  requestWorkerChanges,
  type Store,
  WORKER_ORDER_KEYS,
  WORKER_STATES,
} from "../../../store/index.ts";
import { type Api, endpoint } from "../../endpoint.ts";
import { refusal } from "../../refuse.ts";
import { count, iso, many, text, when } from "../fields.ts";
import { orderField, pageFields, readPageQuery } from "../paging.ts";

const tag = "Workers";
const workerPath = z.object({ worker_name: workerNameSchema });
const queues = z.array(queueNameSchema).max(100);

const workerShape = z
  .object({
    worker_name: z.string(),
    state: z.enum(WORKER_STATES),
    hostname: z.string(),
    pid: z.int(),
    version: z.string(),
    queues: z.array(z.string()),
    concurrency: z.int(),
    active: z.int(),
    first_online: when,
    last_heartbeat: when,
    requested_queues: z.array(z.string()).nullable(),
    requested_shutdown: z.boolean(),
  })
  .openapi("WorkerResponse");

const patchBody = z
  .strictObject({
    add_queues: queues.default([]),
    remove_queues: queues.default([]),
    /** Only true is accepted: the request cannot be withdrawn, since the worker may already have read it. */
    shutdown: z.literal(true).optional(),
  })
  .openapi("WorkerPatchBody");

export function workerRoutes(api: Api): void {
  const { store } = api.resources;
  const lostAfterSec = api.options.workerLostAfterSec;

  endpoint(
    api,
    "get /api/v2/workers",
    {
      tag,
      summary: "Queue workers: running, lost and ended",
      access: "viewer",
      query: z.object({
        ...pageFields,
        ...orderField,
        worker_name_pattern: text.optional(),
        queue_name: text.optional(),
        state: many(z.enum(WORKER_STATES)),
      }),
      answer: z.object({ workers: z.array(workerShape), total_entries: count }).openapi("WorkerCollectionResponse"),
    },
    async ({ query, options }) => {
      const filter = { pattern: query.worker_name_pattern, queue: query.queue_name, states: query.state };
      const { rows, total } = await listWorkers(store, filter, readPageQuery(query, options, WORKER_ORDER_KEYS), lostAfterSec);
      return { workers: rows.map(toWorker), total_entries: total };
    },
  );

  endpoint(
    api,
    "get /api/v2/workers/{worker_name}",
    { tag, summary: "One queue worker", access: "viewer", params: workerPath, answer: workerShape },
    async ({ params }) => toWorker(await mustFind(store, params.worker_name, lostAfterSec)),
  );

  endpoint(
    api,
    "patch /api/v2/workers/{worker_name}",
    {
      tag,
      summary: "Asks a worker to change its queues or to shut down, with its next heartbeat",
      access: "op",
      audit: "patch_worker",
      params: workerPath,
      body: patchBody,
      answer: workerShape,
    },
    async ({ params, body, audit }) => {
      const changes = { addQueues: body.add_queues, removeQueues: body.remove_queues, shutdown: body.shutdown === true };
      audit.extra = { worker_name: params.worker_name, ...body };
      const worker = await mustFind(store, params.worker_name, lostAfterSec);
      if ((await requestWorkerChanges(store, [worker.name], changes)).length === 0)
        throw refusal("worker_not_running", `Worker "${worker.name}" has ended. Start it again with baram worker start.`);
      return toWorker(await mustFind(store, worker.name, lostAfterSec));
    },
  );
}

async function mustFind(store: Store, name: string, lostAfterSec: number): Promise<ListedWorker> {
  const { rows } = await listWorkers(store, { name }, { limit: 1, offset: 0, order: [] }, lostAfterSec);
  const [worker] = rows;
  if (!worker) throw refusal("worker_not_found", `There is no worker "${name}". GET /api/v2/workers lists the ones there are.`);
  return worker;
}

function toWorker(worker: ListedWorker): z.infer<typeof workerShape> {
  return {
    worker_name: worker.name,
    state: worker.state,
    hostname: worker.hostname,
    pid: worker.pid,
    version: worker.version,
    queues: worker.queues,
    concurrency: worker.concurrency,
    active: worker.active,
    first_online: iso(worker.firstOnline),
    last_heartbeat: iso(worker.lastHeartbeat),
    requested_queues: worker.requestedQueues,
    requested_shutdown: worker.requestedShutdown,
  };
}
