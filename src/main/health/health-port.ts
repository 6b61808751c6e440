/**
 * The HTTP port for health checks of roles without an API. It answers from memory, so it answers at once even while the database
 * hangs. A role is unhealthy if its heartbeat could not be written for too long, or if a scheduler's passes have failed for as
 * long. Things that are set aside do not make it unhealthy: after a restart they would be set aside again.
 */
import { isIPv4 } from "node:net";
import { Hono } from "hono";
import type { Config } from "../../config/index.ts";
import type { Clock, Logger } from "../../platform/index.ts";
import { type Listening, listen } from "../listen.ts";
import { addMetricsRoute, mayScrape, type ProcessMetrics } from "../metrics/index.ts";
import type { Part, RoleLife } from "../parts/part.ts";

/** Roles that may have a health port. The API server answers on its own port. */
export type HealthRole = "scheduler" | "dag-processor" | "triggerer";

type PortOptions = { isOn: boolean; host: string; port: number; thresholdSec: number; variable: string };

export type HealthPort = Part & { readonly url: string };

type Resources = { clock: Clock; logger: Logger; metrics: ProcessMetrics };

/** null: the role's `enable_health_check` is off. Throws as `listen` does. */
export async function openHealthPort(
  config: Config,
  role: HealthRole,
  life: () => RoleLife,
  { clock, logger, metrics }: Resources,
): Promise<HealthPort | null> {
  const options = portOptions(config, role);
  if (!options.isOn) return null;
  const app = new Hono();
  app.get("/health", (c) => {
    const { jobId, sinceMs, heartbeatMs, failing, setAside } = life();
    const isLate = (ms: number) => clock.now() - ms >= options.thresholdSec * 1_000;
    const silent = isLate(heartbeatMs) ? `no heartbeat could be written for ${options.thresholdSec} s` : null;
    const idle = failing && isLate(failing.sinceMs) ? failing.reason : null;
    const reason = silent ?? idle;
    const isHealthy = reason === null;
    const answer = {
      status: isHealthy ? "healthy" : "unhealthy",
      role,
      job_id: jobId,
      since: new Date(sinceMs).toISOString(),
      latest_heartbeat: new Date(heartbeatMs).toISOString(),
      ...(reason === null ? {} : { reason }),
      ...(setAside === undefined ? {} : { set_aside: setAside }),
    };
    return c.json(answer, isHealthy ? 200 : 503);
  });
  const { host, port, variable } = options;
  const token = config.metrics.prometheus_token;
  // Without a token, metrics stay on this machine.
  const isOpen = token === null && isLoopback(host);
  if (metrics.prometheus) addMetricsRoute(app, metrics.prometheus, isOpen ? async () => true : mayScrape(token));
  const listening: Listening = await listen(app, {
    host,
    port,
    hostVariable: `${variable}_HOST`,
    portVariable: `${variable}_PORT`,
  });
  logger.info({ url: listening.localUrl, role }, "the health port is open");
  return { url: listening.localUrl, stop: () => listening.close() };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIPv4(host) && host.startsWith("127."));
}

function portOptions({ scheduler, dag_processor, triggerer }: Config, role: HealthRole): PortOptions {
  switch (role) {
    case "scheduler":
      return {
        isOn: scheduler.enable_health_check,
        host: scheduler.scheduler_health_check_server_host,
        port: scheduler.scheduler_health_check_server_port,
        thresholdSec: scheduler.scheduler_health_check_threshold,
        variable: "BARAM__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER",
      };
    case "dag-processor":
      return {
        isOn: dag_processor.enable_health_check,
        host: dag_processor.dag_processor_health_check_server_host,
        port: dag_processor.dag_processor_health_check_server_port,
        thresholdSec: dag_processor.health_check_threshold,
        variable: "BARAM__DAG_PROCESSOR__DAG_PROCESSOR_HEALTH_CHECK_SERVER",
      };
    case "triggerer":
      return {
        isOn: triggerer.enable_health_check,
        host: triggerer.triggerer_health_check_server_host,
        port: triggerer.triggerer_health_check_server_port,
        thresholdSec: triggerer.triggerer_health_check_threshold,
        variable: "BARAM__TRIGGERER__TRIGGERER_HEALTH_CHECK_SERVER",
      };
  }
}
