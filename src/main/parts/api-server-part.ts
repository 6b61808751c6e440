import { Hono } from "hono";
import { type Config, environmentSecrets, readEncryptionKey, sensitiveNames } from "../../config/index.ts";
import { createExecutionApi } from "../../execution-api/index.ts";
import { createNameRule, type Logger, systemClock } from "../../platform/index.ts";
import { createHashPool, createKnownUsers, createPublicApi } from "../../public-api/index.ts";
import { createDagCache } from "../../scheduler/index.ts";
import { createCipher, type Store } from "../../store/index.ts";
import { createLogReceiver } from "../../task-logs/index.ts";
import { baseUrl } from "../base-url.ts";
import { distFile } from "../dist-file.ts";
import { executorNames } from "../executors.ts";
import { createConnectionFinder } from "../find-connection.ts";
import { healthThresholds } from "../health/index.ts";
import { listen } from "../listen.ts";
import { addMetricsRoute, mayScrape, type ProcessMetrics, silentProcessMetrics } from "../metrics/index.ts";
import { createConfiguredLogStore } from "../remote-logs.ts";
import { runIdPattern } from "../run-id-pattern.ts";
import { tokensOf } from "../tokens.ts";
import { trustedProxies } from "../trusted-proxies.ts";
import { packageVersion } from "../version.ts";
import { keepJob } from "./keep-job.ts";
import { readMailerOptions, startMailerPart } from "./mailer-part.ts";
import type { Part } from "./part.ts";

/** `url`: the public URL. `localUrl`: for processes on this machine. */
export type ApiServerPart = Part & { readonly url: string; readonly localUrl: string };

/** Serves the public API and the execution API, and sends owed mails. Throws `port_in_use` and `port_forbidden`. */
export async function startApiServerPart(
  config: Config,
  store: Store,
  logger: Logger,
  process: ProcessMetrics = silentProcessMetrics,
): Promise<ApiServerPart> {
  const mailerOptions = readMailerOptions(config);
  const { metrics } = process;
  const allowedRunId = runIdPattern(config);
  const proxies = trustedProxies(config);
  const dags = createDagCache();
  const tokens = tokensOf(config);
  const users = createKnownUsers(store, systemClock);
  const hashes = createHashPool({ entry: distFile("public-api/auth/hash-thread.js") });
  const cipher = createCipher(readEncryptionKey(config));
  const executors = executorNames(config);
  const defaultExecutor = executors[0] ?? "";
  const secrets = environmentSecrets();
  const logs = createConfiguredLogStore(config, createConnectionFinder(config, store));
  const { base_log_folder: folder, max_file_bytes: maxFileBytes } = config.logging;
  const receiver = createLogReceiver({ folder, maxFileBytes }, distFile("task-logs/receiver-thread.js"));
  const execution = createExecutionApi(
    {
      store,
      dags,
      tokens,
      cipher,
      logs: receiver,
      logStore: logs,
      secrets,
      clock: systemClock,
      logger,
      metrics,
    },
    {
      tokenTtlSec: config.execution_api.jwt_expiration_time,
      xcomMaxBytes: config.xcom.max_size_bytes,
      maxMapLength: config.core.max_map_length,
      templatedFieldMaxLength: config.core.max_templated_field_length,
      allowedRunId,
      defaultExecutor,
      allowTriggerInFuture: config.scheduler.allow_trigger_in_future,
      workerLostAfterSec: config.workers.lost_after_sec,
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
        users,
        hashes,
        cipher,
        logs,
        clock: systemClock,
        logger,
        metrics,
        defaultExecutor,
        executors,
      },
      {
        tokenTtlSec: config.api_auth.jwt_expiration_time,
        cliTokenTtlSec: config.api_auth.jwt_cli_expiration_time,
        fallbackPageLimit: config.api.fallback_page_limit,
        maximumPageLimit: config.api.maximum_page_limit,
        allowTriggerInFuture: config.scheduler.allow_trigger_in_future,
        allowedRunId,
        healthThresholdSec: healthThresholds(config),
        workerLostAfterSec: config.workers.lost_after_sec,
        trustedProxies: proxies,
        isSensitiveName: createNameRule(sensitiveNames(config)),
        version: packageVersion(),
      },
    ),
  );
  if (process.prometheus) addMetricsRoute(app, process.prometheus, mayScrape(config.metrics.prometheus_token, { tokens, users }));
  const { host, port } = config.api;
  const variables = { hostVariable: "BARAM__API__HOST", portVariable: "BARAM__API__PORT" };
  const listening = await listen(app, { host, port, ...variables });
  const job = await keepJob(store, "ApiServerJob", config, logger, metrics);
  const mailer = startMailerPart(config, store, logger, mailerOptions);
  return {
    url: baseUrl(config) ?? listening.localUrl,
    localUrl: listening.localUrl,
    async stop() {
      await mailer.stop();
      await job.stop();
      await listening.close();
      await receiver.close();
      await hashes.close();
    },
  };
}
