import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { silentLogger } from "../platform/index.ts";
import { createApiProbe } from "./api-probe.ts";

let server: Server | undefined;
afterEach(() => void server?.close());

const HEALTHY = JSON.stringify({ status: "healthy" });

async function start(first: [status: number, body: string]) {
  const now = { answer: first };
  server = createServer((_, answer) => answer.writeHead(now.answer[0], { connection: "close" }).end(now.answer[1]));
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  const probe = createApiProbe(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, silentLogger);
  return { now, probe };
}

test.each([
  [404, "default backend - 404", /answers 404$/],
  [302, "", /answers 302$/],
  [200, "<html>We are back soon</html>", /answers 200, and not as Baram's API$/],
  [503, "", /answers 503$/],
])("a proxy that answers %i in the place of the API is not the API", async (status, body, reason) => {
  const { now, probe } = await start([200, HEALTHY]);
  expect(await probe()).toBeNull();
  now.answer = [status, body];
  expect(await probe()).toMatch(reason);
  now.answer = [200, HEALTHY];
  expect(await probe()).toBeNull();
});

test("an API that was never reached from here says nothing about workers", async () => {
  const { probe } = await start([403, "internal only"]);
  expect(await probe()).toBeNull();
});
