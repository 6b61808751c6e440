import { createBullBoard } from "@bull-board/api";
import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import { HonoAdapter } from "@bull-board/hono";
import { serveStatic } from "@hono/node-server/serve-static";
import type { Hono } from "hono";
import type { RedisBoard } from "../../executors/queue/index.ts";

export const BOARD_PATH = "/board";

/** bull-board below `/board`, read-only: the API decides about a try, not moving its message. */
export async function addBoard(app: Hono, redis: RedisBoard): Promise<{ refresh(): Promise<void> }> {
  const serverAdapter = new HonoAdapter(serveStatic);
  serverAdapter.setBasePath(BOARD_PATH);
  const { addQueue } = createBullBoard({ queues: [], serverAdapter });
  const shown = new Set<string>();
  async function refresh(): Promise<void> {
    for (const queue of await redis.queues()) {
      if (shown.has(queue.name)) continue;
      shown.add(queue.name);
      const adapter = new BullMQAdapter(queue, { readOnlyMode: true });
      adapter.setFormatter("data", (data: unknown) => withoutToken(data));
      addQueue(adapter);
    }
  }
  await refresh();
  app.route(BOARD_PATH, serverAdapter.registerPlugin());
  return { refresh };
}

/** A workload's token can start its try, so the board does not show it. */
export function withoutToken(data: unknown): unknown {
  const body = typeof data === "object" && data !== null && "body" in data ? data.body : null;
  if (typeof body !== "string") return null;
  try {
    return { ...(JSON.parse(body) as object), token: "***" };
  } catch {
    return null;
  }
}
