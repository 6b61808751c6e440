import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Hono } from "hono";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type ClientLimits, type Listening, listen } from "./listen.ts";

const LIMITS: ClientLimits = { headersMs: 150, requestMs: 400, checkMs: 20, headersMaxBytes: 2_048, connectionsMax: 20 };

let listening: Listening;
let bodies: number;
beforeEach(async () => {
  bodies = 0;
  const app = new Hono()
    .get("/", (c) => c.text("here"))
    .post("/", async (c) => {
      await c.req.text();
      bodies++;
      return c.text("read");
    })
    .onError((_error, c) => c.text("cut off", 400));
  listening = await listen(app, { host: "127.0.0.1", port: 0, hostVariable: "H", portVariable: "P", limits: LIMITS });
});
afterEach(() => listening.close());

/** Sends the text at once and then a byte every 20 ms; resolves with what was answered when the server hangs up. */
async function trickle(text: string): Promise<string> {
  const socket = open();
  let answer = "";
  socket.on("data", (chunk) => (answer += chunk.toString()));
  socket.write(text);
  const drip = setInterval(() => socket.write("a"), 20);
  await once(socket, "close");
  clearInterval(drip);
  return answer;
}

function open(): Socket {
  const { hostname, port } = new URL(listening.localUrl);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  return socket;
}

const ask = async () => (await fetch(listening.localUrl, { headers: { connection: "close" } })).text();

test("clients that send their headers byte by byte lose the connection, and others are answered meanwhile", async () => {
  const slow = Promise.all(Array.from({ length: 10 }, () => trickle("GET / HTTP/1.1\r\nhost: x\r\nx: ")));
  expect(await ask()).toBe("here");
  expect(await slow).toEqual(Array(10).fill(expect.stringMatching(/^HTTP\/1.1 408 /)));
  expect(await ask()).toBe("here");
});

test("a connection that says nothing, and a body that comes byte by byte, are ended too", async () => {
  const silent = open();
  silent.resume();
  await once(silent, "close");
  const answer = await trickle("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n");
  expect(answer).toMatch(/^HTTP\/1.1 408 /);
  expect(bodies).toBe(0);
});

test("long headers are refused, and so are more connections than there may be, until others end", async () => {
  expect((await fetch(listening.localUrl, { headers: { x: "x".repeat(4_000) } })).status).toBe(431);
  const held = Array.from({ length: 20 }, open);
  await Promise.all(held.map((socket) => once(socket, "connect")));
  await expect(ask()).rejects.toThrow();
  for (const socket of held) socket.resume();
  await Promise.all(held.map((socket) => once(socket, "close")));
  expect(await ask()).toBe("here");
});
