import { z } from "@hono/zod-openapi";
import { DESCRIPTION_MAX, isReachable, POOL_NAME_MAX, poolSizeSchema, REACHABLE_RULE } from "../../../contracts/index.ts";
import { removePool } from "../../../scheduler/commands/index.ts";
import { addPool, changePool, findPool, findPools, listPoolNames, POOL_ORDER_KEYS, type Pool } from "../../../store/index.ts";
import { type Api, endpoint, noContent } from "../../endpoint.ts";
import { refusal } from "../../refuse.ts";
import { absent, count, text } from "../fields.ts";
import { masked, orderField, pageFields, readPageQuery, updateMask } from "../paging.ts";

const tag = "Pools";
const nameField = z.string().min(1).max(POOL_NAME_MAX).refine(isReachable, REACHABLE_RULE);
const poolPath = z.object({ pool_name: nameField });
const slotsField = poolSizeSchema;

const poolShape = z
  .object({
    name: z.string(),
    slots: z.int(),
    description: z.string().nullable(),
    include_deferred: z.boolean(),
    occupied_slots: z.int(),
    running_slots: z.int(),
    queued_slots: z.int(),
    scheduled_slots: z.int(),
    open_slots: z.int(),
    deferred_slots: z.int(),
    team_name: z.string().nullable(),
  })
  .openapi("PoolResponse");
const description = z.string().max(DESCRIPTION_MAX).nullable().optional();
const poolBody = z
  .strictObject({
    name: nameField,
    slots: slotsField,
    description,
    team_name: absent,
    include_deferred: z.boolean().default(false),
  })
  .openapi("PoolBody");
/** `pool` repeats the name. A pool cannot be renamed, since task instances refer to it by name. */
const patchBody = z
  .strictObject({
    pool: nameField.nullable().optional(),
    slots: slotsField.nullable().optional(),
    description,
    team_name: absent,
    include_deferred: z.boolean().nullable().optional(),
  })
  .openapi("PoolPatchBody");

export function poolRoutes(api: Api): void {
  const { store } = api.resources;
  const noSuchPool = (name: string) => refusal("pool_not_found", `There is no pool "${name}".`, { pool: name });
  const mustFind = async (name: string) => {
    const pool = await findPool(store, name);
    if (!pool) throw noSuchPool(name);
    return pool;
  };

  endpoint(
    api,
    "get /api/v2/pools",
    {
      tag,
      summary: "Pools and their usage",
      access: "viewer",
      query: z.object({
        ...pageFields,
        ...orderField,
        pool_name_pattern: text.optional(),
        pool_name_prefix_pattern: text.optional(),
      }),
      answer: z.object({ pools: z.array(poolShape), total_entries: count }).openapi("PoolCollectionResponse"),
    },
    async ({ query, options }) => {
      const page = readPageQuery(query, options, POOL_ORDER_KEYS);
      const filter = { pattern: query.pool_name_pattern, prefix: query.pool_name_prefix_pattern };
      const { rows, total } = await listPoolNames(store, filter, page);
      const names = rows.map((row) => row.pool);
      const pools = await findPools(store, names);
      const shown = rows.flatMap((row) => pools.find((pool) => pool.pool === row.pool) ?? []);
      return { pools: shown.map(toPool), total_entries: total };
    },
  );

  endpoint(
    api,
    "get /api/v2/pools/{pool_name}",
    { tag, summary: "One pool", access: "viewer", params: poolPath, answer: poolShape },
    async ({ params }) => toPool(await mustFind(params.pool_name)),
  );

  endpoint(
    api,
    "post /api/v2/pools",
    { tag, summary: "Creates a pool", access: "op", audit: "post_pool", body: poolBody, answer: poolShape, status: 201 },
    async ({ body, audit }) => {
      audit.extra = { pool_name: body.name, slots: body.slots };
      const pool = {
        pool: body.name,
        slots: body.slots,
        description: body.description ?? null,
        includeDeferred: body.include_deferred,
      };
      if (!(await addPool(store, pool)))
        throw refusal("pool_exists", `There is a pool "${body.name}" already. Change it with PATCH.`);
      return toPool(await mustFind(body.name));
    },
  );

  endpoint(
    api,
    "patch /api/v2/pools/{pool_name}",
    {
      tag,
      summary: "Updates a pool",
      access: "op",
      audit: "patch_pool",
      params: poolPath,
      query: z.object(updateMask),
      body: patchBody,
      answer: poolShape,
    },
    async ({ params, query, body, audit }) => {
      const change = masked(body, query.update_mask, ["slots", "description", "include_deferred", "pool", "name"]);
      if (change.pool && change.pool !== params.pool_name)
        throw refusal("not_supported", `A pool cannot be renamed. Make "${change.pool}" and delete "${params.pool_name}".`);
      const slots = await changePool(store, params.pool_name, {
        slots: change.slots ?? undefined,
        description: change.description,
        includeDeferred: change.include_deferred ?? undefined,
      });
      if (slots === null) throw noSuchPool(params.pool_name);
      audit.extra = { slots };
      return toPool(await mustFind(params.pool_name));
    },
  );

  endpoint(
    api,
    "delete /api/v2/pools/{pool_name}",
    {
      tag,
      summary: "Deletes a pool that no task uses",
      access: "op",
      audit: "delete_pool",
      params: poolPath,
      answer: z.null(),
    },
    async ({ params, c }) => {
      await removePool(store, params.pool_name);
      return noContent(c);
    },
  );
}

function toPool(pool: Pool): z.infer<typeof poolShape> {
  const occupied = pool.runningSlots + pool.queuedSlots + (pool.includeDeferred ? pool.deferredSlots : 0);
  return {
    name: pool.pool,
    slots: pool.slots,
    description: pool.description,
    include_deferred: pool.includeDeferred,
    occupied_slots: occupied,
    running_slots: pool.runningSlots,
    queued_slots: pool.queuedSlots,
    scheduled_slots: pool.scheduledSlots,
    // -1 = no limit; the number of open slots is then -1 too.
    open_slots: pool.slots === -1 ? -1 : pool.slots - occupied,
    deferred_slots: pool.deferredSlots,
    team_name: null,
  };
}
