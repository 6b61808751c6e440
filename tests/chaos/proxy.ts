/**
 * The rig's proxy in front of the API servers. It alternates between them, records their acknowledgements, and modifies calls as
 * a fault requires: deliver twice, drop, delay, answer instead of the server.
 */
import http from "node:http";
import { sleep } from "../../src/platform/index.ts";
import type { Acknowledged } from "./checker/history.ts";

export type Call = {
  readonly method: string;
  readonly path: string;
  readonly body: string;
  readonly headers: http.IncomingHttpHeaders;
};
export type Answer = { status: number; headers: http.IncomingHttpHeaders; body: string };
export type Meddling = {
  /** Delay before the delivery. */
  delayMs?: number;
  /** Number of deliveries, one after the other; the last answer is passed on. */
  deliveries?: number;
  /** Whether the copies are sent at the same time. */
  atOnce?: boolean;
  /** "request": no server receives it. "answer": the server processes it, and the answer is lost. Both break the connection. */
  lose?: "request" | "answer";
  /** The proxy answers with this status. */
  answer?: { status: number; body: string };
  /** Called with the server's answer before it is passed on. */
  seen?: (answer: Answer) => void | Promise<void>;
};

export type ApiProxy = {
  readonly url: string;
  readonly acknowledged: Acknowledged[];
  /** From now on `meddler` decides about every call; null = the call is passed on. */
  setMeddler(meddler: ((call: Call) => Meddling | null | Promise<Meddling | null>) | null): void;
  setBackends(ports: readonly number[]): void;
  /** Sends a call to a server directly, bypassing the meddler. */
  send(call: Call): Promise<Answer>;
  readonly calls: () => number;
  close(): Promise<void>;
};

export async function startProxy(): Promise<ApiProxy> {
  let backends: readonly number[] = [];
  let turn = 0;
  let calls = 0;
  let meddler: ((call: Call) => Meddling | null | Promise<Meddling | null>) | null = null;
  const acknowledged: Acknowledged[] = [];
  const agent = new http.Agent({ keepAlive: true });

  function sendTo(port: number, call: Call): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const {
        "content-length": _length,
        "transfer-encoding": _encoding,
        connection: _connection,
        host: _host,
        ...headers
      } = call.headers;
      const request = http.request(
        {
          host: "127.0.0.1",
          port,
          method: call.method,
          path: call.path,
          agent,
          headers: { ...headers, "content-length": Buffer.byteLength(call.body, "latin1") },
        },
        (answer) => {
          const chunks: Buffer[] = [];
          answer.on("data", (chunk: Buffer) => chunks.push(chunk));
          answer.on("error", reject);
          answer.on("end", () =>
            resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks).toString("latin1") }),
          );
        },
      );
      request.on("error", reject);
      request.end(call.body, "latin1");
    });
  }

  /**
   * Like a load balancer: if a server cannot be connected to, the next one is used; after a broken connection the call is not
   * repeated.
   */
  async function send(call: Call): Promise<Answer> {
    let last: unknown = new Error("there is no API server");
    for (const _ of backends) {
      const port = backends[turn++ % backends.length] ?? 0;
      try {
        const answer = await sendTo(port, call);
        keepAcknowledged(call, answer, acknowledged);
        return answer;
      } catch (error) {
        last = error;
        if ((error as NodeJS.ErrnoException).code !== "ECONNREFUSED") throw error;
      }
    }
    throw last;
  }

  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("error", () => response.destroy());
    request.on("end", () => {
      calls++;
      const body = Buffer.concat(chunks).toString("latin1");
      void pass({ method: request.method ?? "GET", path: request.url ?? "/", body, headers: request.headers }, response).catch(
        () => response.destroy(),
      );
    });
  });

  async function pass(call: Call, response: http.ServerResponse): Promise<void> {
    const meddling = (await meddler?.(call)) ?? {};
    if (meddling.delayMs) await sleep(meddling.delayMs);
    if (meddling.lose === "request") return void response.destroy();
    if (meddling.answer) {
      response.writeHead(meddling.answer.status, { "content-type": "application/json" }).end(meddling.answer.body);
      return;
    }
    let answer: Answer;
    const more = (meddling.deliveries ?? 1) - 1;
    if (meddling.atOnce) {
      const all = await Promise.all(Array.from({ length: more + 1 }, () => send(call)));
      answer = all[0] as Answer;
    } else {
      answer = await send(call);
      for (let at = 0; at < more; at++) answer = await send(call);
    }
    await meddling.seen?.(answer);
    if (meddling.lose === "answer") return void response.destroy();
    const { "transfer-encoding": _encoding, connection: _connection, ...headers } = answer.headers;
    response.writeHead(answer.status, { ...headers, "content-length": Buffer.byteLength(answer.body, "latin1") });
    response.end(answer.body, "latin1");
  }

  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  return {
    url: `http://127.0.0.1:${typeof bound === "object" && bound ? bound.port : 0}`,
    acknowledged,
    setMeddler(next) {
      meddler = next;
    },
    setBackends(ports) {
      backends = ports;
    },
    send,
    calls: () => calls,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      agent.destroy();
      await closed;
    },
  };
}

type BatchCall = { items: { op: "run" | "finish"; id: string; outcome?: { state: string } }[] };
type BatchAnswer = { items: { id: string; ok: boolean; status?: number }[] };

function keepAcknowledged(call: Call, answer: Answer, kept: Acknowledged[]): void {
  if (!call.path.endsWith("/baram/batch") || answer.status !== 200) return;
  const { items } = JSON.parse(Buffer.from(call.body, "latin1").toString("utf8")) as BatchCall;
  const answers = (JSON.parse(Buffer.from(answer.body, "latin1").toString("utf8")) as BatchAnswer).items;
  for (const [at, { op, id, outcome }] of items.entries()) {
    const told = answers[at];
    if (told?.id !== id) continue;
    kept.push({
      op: op === "run" ? "start" : "finish",
      tryId: id,
      outcome: outcome?.state ?? null,
      status: told.ok ? 200 : (told.status ?? 0),
      atMs: Date.now(),
    });
  }
}
