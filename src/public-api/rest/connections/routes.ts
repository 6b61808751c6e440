import { z } from "@hono/zod-openapi";
import {
  addConnection,
  CONNECTION_ORDER_KEYS,
  deleteConnection,
  findConnection,
  listConnections,
  lockConnection,
  replaceConnection,
} from "../../../store/index.ts";
import { type Api, endpoint, noContent } from "../../endpoint.ts";
import { refusal } from "../../refuse.ts";
import { count, text } from "../fields.ts";
import { masked, orderField, pageFields, readPageQuery, updateMask } from "../paging.ts";
import { connectionBody, connectionShape, connIdField, fromBody, toConnection } from "./shapes.ts";

const tag = "Connections";
const connectionPath = z.object({ connection_id: connIdField });
const missing = (connId: string) => refusal("connection_not_found", `There is no connection "${connId}".`);

export function connectionRoutes(api: Api): void {
  const { store, cipher } = api.resources;
  const rule = api.options.isSensitiveName;

  endpoint(
    api,
    "get /api/v2/connections",
    {
      tag,
      summary: "Connections, without their secrets",
      access: "op",
      query: z.object({
        ...pageFields,
        ...orderField,
        connection_id_pattern: text.optional(),
        connection_id_prefix_pattern: text.optional(),
      }),
      answer: z.object({ connections: z.array(connectionShape), total_entries: count }).openapi("ConnectionCollectionResponse"),
    },
    async ({ query, options }) => {
      const page = readPageQuery(query, options, CONNECTION_ORDER_KEYS);
      const filter = { pattern: query.connection_id_pattern, prefix: query.connection_id_prefix_pattern };
      const { rows, total } = await listConnections(store, cipher, filter, page);
      return { connections: rows.map((row) => toConnection(row, rule)), total_entries: total };
    },
  );

  endpoint(
    api,
    "get /api/v2/connections/{connection_id}",
    { tag, summary: "One connection", access: "op", params: connectionPath, answer: connectionShape },
    async ({ params }) => {
      const connection = await findConnection(store, cipher, params.connection_id);
      if (!connection) throw missing(params.connection_id);
      return toConnection(connection, rule);
    },
  );

  endpoint(
    api,
    "post /api/v2/connections",
    {
      tag,
      summary: "Creates a connection",
      access: "op",
      audit: "post_connection",
      body: connectionBody,
      answer: connectionShape,
      status: 201,
    },
    async ({ body, audit }) => {
      audit.extra = { connection_id: body.connection_id, conn_type: body.conn_type };
      const connection = fromBody(body.connection_id, body, null, rule);
      if (!(await addConnection(store, cipher, connection)))
        throw refusal("connection_exists", `There is a connection "${body.connection_id}" already. Change it with PATCH.`);
      return toConnection(connection, rule);
    },
  );

  endpoint(
    api,
    "patch /api/v2/connections/{connection_id}",
    {
      tag,
      summary: "Updates a connection; omitted fields do not change",
      access: "op",
      audit: "patch_connection",
      params: connectionPath,
      query: z.object(updateMask),
      body: connectionBody,
      answer: connectionShape,
    },
    async ({ params, query, body }) => {
      const connId = params.connection_id;
      if (body.connection_id !== connId)
        throw refusal(
          "not_supported",
          `The body's connection_id "${body.connection_id}" is not the path's; a connection is not renamed.`,
        );
      const change = masked(body, query.update_mask, Object.keys(connectionBody.shape));
      // Read and written under one lock, so that two concurrent changes do not overwrite each other's fields.
      const changed = await store.transaction(async (tx) => {
        await lockConnection(tx, connId);
        const old = await findConnection(tx, cipher, connId);
        if (!old) throw missing(connId);
        const next = fromBody(connId, change, old, rule);
        await replaceConnection(tx, cipher, next);
        return next;
      });
      return toConnection(changed, rule);
    },
  );

  endpoint(
    api,
    "delete /api/v2/connections/{connection_id}",
    { tag, summary: "Deletes a connection", access: "op", audit: "delete_connection", params: connectionPath, answer: z.null() },
    async ({ params, c }) => {
      if (!(await deleteConnection(store, params.connection_id))) throw missing(params.connection_id);
      return noContent(c);
    },
  );
}
