import { randomUUID } from "node:crypto";
import { createServer, type Server } from "node:http";
import { afterEach, expect, test } from "vitest";
import { BATCH_MAX_BYTES, type BatchItem } from "../../contracts/index.ts";
import { createApiClient } from "./api-client.ts";
import { createBatcher } from "./batcher.ts";

let server: Server;
afterEach(() => server.close());

/** An API, or a proxy before it, that takes bodies of `maxBytes`; it takes everything else. Says how many items each request had. */
async function startApi(maxBytes: number, workerToken: string | null = null, isGood = (_bearer: string) => true) {
  const batches: number[] = [];
  const sizes: number[] = [];
  const bearers: string[] = [];
  server = createServer((request, answer) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      if (body.length > maxBytes) return void answer.writeHead(413).end("<html>Request Entity Too Large</html>");
      const bearer = (request.headers.authorization ?? "").replace("Bearer ", "");
      bearers.push(bearer);
      if (!isGood(bearer)) return void answer.writeHead(401).end("{}");
      sizes.push(body.length);
      const { items } = JSON.parse(body.toString("utf8")) as { items: BatchItem[] };
      batches.push(items.length);
      answer.end(JSON.stringify({ items: items.map(({ id }) => ({ id, ok: true })) }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const client = createApiClient(`http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`, {
    workerToken: () => workerToken,
  });
  return { batcher: createBatcher(client, { retryWindowMs: 5_000, maxInFlight: 2 }), batches, sizes, bearers };
}

const endOf = (chars: number) => ({
  id: randomUUID(),
  token: "t",
  outcome: { state: "success" as const, xcoms: [{ key: "k", value: "x".repeat(chars) }], skipTasks: [] },
});

test("ends that are too large together are sent in several requests, and none is refused for its neighbours", async () => {
  const { batcher, batches, sizes } = await startApi(100_000_000);
  await Promise.all(Array.from({ length: 5 }, () => batcher.finish(endOf(1_700_000))));
  // Two of them may be under way at once.
  expect(batches.sort()).toEqual([1, 2, 2]);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(BATCH_MAX_BYTES);
});

test("of a batch that is refused for its size only what is too large by itself is refused", async () => {
  const { batcher } = await startApi(1_000_000);
  const ends = [endOf(10), endOf(600_000), endOf(2_000_000), endOf(600_000), endOf(10)];
  const told = await Promise.allSettled(ends.map((end) => batcher.finish(end)));
  expect(told.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled", "fulfilled"]);
  expect(told[2]).toMatchObject({ reason: { status: 413 } });
});

test("batches stay below the API's limit in bytes, whatever the characters, and one that is larger goes alone with its own token", async () => {
  const { batcher, sizes, bearers } = await startApi(100_000_000, tokenUntil(9_999_999_999, "worker"));
  const wide = { ...endOf(0), outcome: { ...endOf(0).outcome, xcoms: [{ key: "k", value: "é".repeat(1_500_000) }] } };
  await Promise.all([
    ...Array.from({ length: 3 }, () => batcher.finish({ ...wide, id: randomUUID() })),
    batcher.finish(endOf(5)),
  ]);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(BATCH_MAX_BYTES);
  expect(new Set(bearers)).toEqual(new Set([tokenUntil(9_999_999_999, "worker")]));
  bearers.length = 0;
  await batcher.finish({ ...endOf(5_000_000), token: "own" });
  expect(bearers).toEqual(["own"]);
});

const tokenUntil = (exp: number, name: string) => `${name}.${Buffer.from(JSON.stringify({ exp })).toString("base64url")}.sign`;

test("a token that the API does not take refuses its own item only, even if it is the first that says that it lives", async () => {
  const forged = tokenUntil(9_999_999_999, "forged");
  const good = tokenUntil(9_000_000_000, "good");
  const { batcher } = await startApi(1_000_000, null, (bearer) => bearer !== forged);
  const ends = [forged, good, good, good].map((token) => ({ ...endOf(5), token }));
  const told = await Promise.allSettled(ends.map((end) => batcher.finish(end)));
  expect(told.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled", "fulfilled"]);
  expect(told[0]).toMatchObject({ reason: { status: 401 } });
});

test("a worker's token that the API does not take any more loses no end: the try's own is tried", async () => {
  const worker = tokenUntil(9_999_999_999, "worker");
  const { batcher, bearers } = await startApi(1_000_000, worker, (bearer) => bearer !== worker);
  await batcher.finish({ ...endOf(5), token: "own" });
  expect(bearers).toEqual([worker, "own"]);
});

test("a proxy's own refusal, as while the API is deployed anew, loses no end; a start with it is given back at once", async () => {
  let isDeployed = false;
  const asked: number[] = [];
  server = createServer((request, answer) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const { items } = JSON.parse(Buffer.concat(chunks).toString("utf8")) as { items: BatchItem[] };
      asked.push(items.length);
      if (!isDeployed) return void answer.writeHead(404, { "content-type": "text/plain" }).end("default backend - 404");
      answer.end(JSON.stringify({ items: items.map(({ id }) => ({ id, ok: true })) }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const client = createApiClient(`http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`);
  const batcher = createBatcher(client, { retryWindowMs: 5_000, maxInFlight: 2 });
  const end = batcher.finish(endOf(1));
  const start = batcher.run({ id: randomUUID(), token: "t", hostname: "h", unixname: "u", pid: 1 });
  await expect(start).rejects.toMatchObject({ status: 404 });
  isDeployed = true;
  await expect(end).resolves.toEqual({ failed: null, token: null });
  expect([asked[0], asked.at(-1)]).toEqual([2, 1]);
});
