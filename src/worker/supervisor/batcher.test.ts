import { randomUUID } from "node:crypto";
import { createServer, type Server } from "node:http";
import { afterEach, expect, test } from "vitest";
import type { BatchItem } from "../../contracts/index.ts";
import { silentLogger } from "../../platform/index.ts";
import { createApiClient } from "./api-client.ts";
import { createBatcher } from "./batcher.ts";

let server: Server;
afterEach(() => server.close());

/** An API, or a proxy before it, that takes bodies of `maxBytes`; it takes everything else. Says how many items each request had. */
async function startApi(maxBytes: number) {
  const batches: number[] = [];
  server = createServer((request, answer) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      if (body.length > maxBytes) return void answer.writeHead(413).end("<html>Request Entity Too Large</html>");
      const { items } = JSON.parse(body.toString("utf8")) as { items: BatchItem[] };
      batches.push(items.length);
      answer.end(JSON.stringify({ items: items.map(({ id }) => ({ id, ok: true })) }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const client = createApiClient(`http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`);
  return { batcher: createBatcher(client, silentLogger, { retryWindowMs: 5_000, maxInFlight: 2 }), batches };
}

const endOf = (chars: number) => ({
  id: randomUUID(),
  token: "t",
  outcome: { state: "success" as const, xcoms: [{ key: "k", value: "x".repeat(chars) }], skipTasks: [] },
});

test("ends that are too large together are sent in several requests, and none is refused for its neighbours", async () => {
  const { batcher, batches } = await startApi(100_000_000);
  await Promise.all(Array.from({ length: 5 }, () => batcher.finish(endOf(7_000_000))));
  // Two of them may be under way at once.
  expect(batches.sort()).toEqual([1, 2, 2]);
});

test("of a batch that is refused for its size only what is too large by itself is refused", async () => {
  const { batcher } = await startApi(1_000_000);
  const ends = [endOf(10), endOf(600_000), endOf(2_000_000), endOf(600_000), endOf(10)];
  const told = await Promise.allSettled(ends.map((end) => batcher.finish(end)));
  expect(told.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled", "fulfilled"]);
  expect(told[2]).toMatchObject({ reason: { status: 413 } });
});
