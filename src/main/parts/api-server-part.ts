import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { type Config, environmentSecrets, readEncryptionKey, readJwtSecret } from "../../config/index.ts";
import { createExecutionApi } from "../../execution-api/index.ts";
import { BaramError, createTokens, type Logger, systemClock } from "../../platform/index.ts";
import { createPublicApi } from "../../public-api/index.ts";
import { createDagCache } from "../../scheduler/index.ts";
import { createCipher, type Store } from "../../store/index.ts";
import { createFolderLogStore } from "../../task-logs/index.ts";
import { baseUrl, executorNames } from "../executors.ts";
import { packageVersion } from "../version.ts";
import { keepJob } from "./keep-job.ts";
import { readMailerOptions, startMailerPart } from "./mailer-part.ts";
import type { Part } from "./part.ts";

/** `url`: as the world knows it. `localUrl`: as processes on this machine reach it. */
export type ApiServerPart = Part & { readonly url: string; readonly localUrl: string };

/** Serves the public API and the execution API, and sends the mails that are owed. Throws `port_in_use` and `port_forbidden`. */
export async function startApiServerPart(config: Config, store: Store, logger: Logger): Promise<ApiServerPart> {
  const mailerOptions = readMailerOptions(config);
  const dags = createDagCache();
  const tokens = createTokens(readJwtSecret(config));
  const cipher = createCipher(readEncryptionKey(config));
  const defaultExecutor = executorNames(config)[0] ?? "";
  const execution = createExecutionApi(
    { store, dags, tokens, cipher, secrets: environmentSecrets(), clock: systemClock, logger },
    {
      tokenTtlSec: config.execution_api.jwt_expiration_time,
      xcomMaxBytes: config.xcom.max_size_bytes,
      defaultExecutor,
      allowTriggerInFuture: config.scheduler.allow_trigger_in_future,
    },
  );
  const app = new Hono();
  app.route("/execution", execution);
  app.route(
    "/",
    createPublicApi(
      {
        store,
        dags,
        tokens,
        cipher,
        logs: createFolderLogStore(config.logging.base_log_folder),
        clock: systemClock,
        logger,
        defaultExecutor,
      },
      {
        tokenTtlSec: config.api_auth.jwt_expiration_time,
        cliTokenTtlSec: config.api_auth.jwt_cli_expiration_time,
        fallbackPageLimit: config.api.fallback_page_limit,
        maximumPageLimit: config.api.maximum_page_limit,
        allowTriggerInFuture: config.scheduler.allow_trigger_in_future,
        healthThresholdSec: config.scheduler.scheduler_health_check_threshold,
        version: packageVersion(),
      },
    ),
  );
  const { host, port } = config.api;
  const server = serve({ fetch: app.fetch, hostname: host, port });
  await new Promise<void>((resolve, reject) => {
    server.once("listening", resolve);
    server.once("error", (error: NodeJS.ErrnoException) => reject(explainListenError(error, host, port)));
  });
  const bound = server.address();
  const actualPort = typeof bound === "object" && bound ? bound.port : port;
  const job = await keepJob(store, "ApiServerJob", config, logger);
  const mailer = startMailerPart(config, store, logger, mailerOptions);
  const reachable = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
  const localUrl = `http://${reachable.includes(":") ? `[${reachable}]` : reachable}:${actualPort}`;
  return {
    url: baseUrl(config) ?? localUrl,
    localUrl,
    async stop() {
      await mailer.stop();
      await job.stop();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // Kept-alive connections of our own workers would hold the server open.
      if ("closeIdleConnections" in server) server.closeIdleConnections();
      setTimeout(() => "closeAllConnections" in server && server.closeAllConnections(), 2_000).unref();
      await closed;
    },
  };
}

function explainListenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error.code === "EADDRINUSE") {
    return new BaramError(
      "port_in_use",
      `Port ${port} on ${host} is in use by another program. Stop it, or choose another port with BARAM__API__PORT.`,
      { host, port },
      error,
    );
  }
  if (error.code === "EACCES")
    return new BaramError(
      "port_forbidden",
      `This user may not listen on port ${port}. Choose one above 1023 with BARAM__API__PORT.`,
      { host, port },
      error,
    );
  if (error.code === "EADDRNOTAVAIL" || error.code === "ENOTFOUND")
    return new BaramError(
      "host_invalid",
      `This machine has no address "${host}" to listen on. Set BARAM__API__HOST to 127.0.0.1 or 0.0.0.0.`,
      { host },
      error,
    );
  return error;
}
