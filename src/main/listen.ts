import { createServer } from "node:http";
import { serve } from "@hono/node-server";
import type { Hono } from "hono";
import { BaramError } from "../platform/index.ts";

/** `hostVariable`, `portVariable`: the options' environment variables, for messages. Port 0 = any free one. */
export type ListenOptions = {
  host: string;
  port: number;
  hostVariable: string;
  portVariable: string;
  limits?: ClientLimits;
};

/** What a client may take. Who exceeds it is answered 408 or 431, or not at all, and loses the connection. */
export type ClientLimits = {
  /** For the headers of a request, and from the opening of a connection on. */
  headersMs: number;
  /** For a whole request. */
  requestMs: number;
  /** How often the two are looked at. */
  checkMs: number;
  headersMaxBytes: number;
  connectionsMax: number;
};

/**
 * Node's own limits (60 s and 300 s, looked at every 30 s, any number of connections) let a client that sends a byte now and then hold
 * sockets for minutes. The largest body is one of a worker, a few MB. The connections are far more than all workers keep, and
 * far fewer than the files that a process may open: the database's connections are among these.
 */
const LIMITS: ClientLimits = {
  headersMs: 15_000,
  requestMs: 60_000,
  checkMs: 2_000,
  headersMaxBytes: 16_384,
  connectionsMax: 4_096,
};

export type Listening = {
  /** http://address:port under which processes on this machine reach it. */
  readonly localUrl: string;
  close(): Promise<void>;
};

/** Keep-alive connections would keep a closing server open as long as their clients like. */
const CLOSE_WITHIN_MS = 2_000;
const IDLE_LOOK_MS = 50;

/** Serves the app. Throws `port_in_use`, `port_forbidden` and `host_invalid`. */
export async function listen(app: Pick<Hono, "fetch">, options: ListenOptions): Promise<Listening> {
  const { host, port, limits = LIMITS } = options;
  const serverOptions = {
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: limits.checkMs,
    maxHeaderSize: limits.headersMaxBytes,
  };
  const server = serve({ fetch: app.fetch, hostname: host, port, createServer, serverOptions });
  server.maxConnections = limits.connectionsMax;
  await new Promise<void>((resolve, reject) => {
    server.once("listening", resolve);
    server.once("error", (error: NodeJS.ErrnoException) => reject(explainListenError(error, options)));
  });
  const bound = server.address();
  const actualPort = typeof bound === "object" && bound ? bound.port : port;
  const reachable = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  return {
    localUrl: `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${actualPort}`,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      const closeIdle = () => "closeIdleConnections" in server && server.closeIdleConnections();
      closeIdle();
      // One whose answer is just being sent is idle only a moment later, and would be waited for.
      const sweep = setInterval(closeIdle, IDLE_LOOK_MS);
      setTimeout(() => "closeAllConnections" in server && server.closeAllConnections(), CLOSE_WITHIN_MS).unref();
      await closed;
      clearInterval(sweep);
    },
  };
}

function explainListenError(error: NodeJS.ErrnoException, { host, port, hostVariable, portVariable }: ListenOptions): Error {
  if (error.code === "EADDRINUSE") {
    return new BaramError(
      "port_in_use",
      `Port ${port} on ${host} is in use by another program. Stop it, or choose another port with ${portVariable}.`,
      { host, port },
      error,
    );
  }
  if (error.code === "EACCES")
    return new BaramError(
      "port_forbidden",
      `This user may not listen on port ${port}. Choose one above 1023 with ${portVariable}.`,
      { host, port },
      error,
    );
  if (error.code === "EADDRNOTAVAIL" || error.code === "ENOTFOUND")
    return new BaramError(
      "host_invalid",
      `This machine has no address "${host}" to listen on. Set ${hostVariable} to 127.0.0.1 or 0.0.0.0.`,
      { host },
      error,
    );
  return error;
}
