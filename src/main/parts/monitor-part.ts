import { Hono } from "hono";
import type { Config } from "../../config/index.ts";
import { openBroker, openRedisBoard } from "../../executors/queue/index.ts";
import { BaramError, type Logger, toError } from "../../platform/index.ts";
import { listWorkers, type Store } from "../../store/index.ts";
import { brokerOptions } from "../executors/queue.ts";
import { listen } from "../listen.ts";
import { askForLogin, readLogins } from "../monitor/basic-auth.ts";
import { overviewPage } from "../monitor/overview-page.ts";
import type { Part } from "./part.ts";

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1|localhost)$/;
const WORKERS_SHOWN = 1_000;

export type MonitorPart = Part & { readonly url: string };

/** Serves pages about queues and workers. Throws `monitor_unprotected`, and the errors of a broker and of a port. */
export async function startMonitorPart(config: Config, store: Store, logger: Logger): Promise<MonitorPart> {
  const { host, port } = config.monitor;
  const logins = readLogins(config.monitor.basic_auth);
  if (logins.length === 0 && !LOOPBACK.test(host))
    throw new BaramError(
      "monitor_unprotected",
      `[monitor] host is ${host}, which others can reach, and [monitor] basic_auth is not set. Set BARAM__MONITOR__BASIC_AUTH to user:password, or leave the host at 127.0.0.1.`,
      { host },
    );
  const broker = await openBroker(brokerOptions(config), logger);
  await broker.start();
  const redis = await openRedisBoard(brokerOptions(config), logger);
  const app = new Hono();
  app.use(askForLogin(logins));
  app.use(async (c, next) => {
    await next();
    c.header("X-Content-Type-Options", "nosniff");
    c.header("X-Frame-Options", "DENY");
    c.header("Referrer-Policy", "no-referrer");
  });
  const board = redis && (await (await import("../monitor/board.ts")).addBoard(app, redis));
  app.get("/", async (c) => {
    const page = { limit: WORKERS_SHOWN, offset: 0, order: [] };
    const { rows: workers } = await listWorkers(store, {}, page, config.workers.lost_after_sec);
    await board?.refresh().catch((error) => logger.debug({ error: toError(error).message }, "queues could not be listed"));
    const served = workers.flatMap(({ queues, state }) => (state === "offline" ? [] : queues));
    const queues = await redis?.queues().catch((error) => {
      logger.warn({ error: toError(error).message }, "the broker's queues cannot be read");
      return [];
    });
    const published = queues?.map(({ name }) => name) ?? [];
    const names = [...new Set([config.operators.default_queue, ...served, ...published])].sort();
    const counts = await broker.counts(names).catch((error) => {
      logger.warn({ error: toError(error).message }, "the broker's counts cannot be read");
      return null;
    });
    return c.html(overviewPage({ counts, workers, hasBoard: board !== null }));
  });
  const listening = await listen(app, {
    host,
    port,
    hostVariable: "BARAM__MONITOR__HOST",
    portVariable: "BARAM__MONITOR__PORT",
  });
  return {
    url: listening.localUrl,
    async stop() {
      await listening.close();
      await redis?.close();
      await broker.close();
    },
  };
}
