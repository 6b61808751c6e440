import type { Config } from "../../config/index.ts";
import type { Connection } from "../../contracts/index.ts";
import type { Logger } from "../../platform/index.ts";
import { demandConnection } from "../find-connection.ts";
import type { ExecutorSurroundings } from "./surroundings.ts";

/** Reads the connection of `conn_id` each time, so that changed keys are used. null: the SDK's provider chain is used. */
export function connectOf(
  section: string,
  connId: string | null,
  { findConnection }: ExecutorSurroundings,
): (() => Promise<Connection>) | null {
  return connId ? () => demandConnection(findConnection, connId, `[${section}] conn_id`) : null;
}

/** As in Airflow: 4, 16, 64, then 120 s. */
export function retryDelayMs(failed: number): number {
  return Math.min(4 ** failed, 120) * 1_000;
}

/** A short outage costs a second; after a long one, launches go on within this time of its end. */
const OUTAGE_PAUSE_MAX_MS = 15_000;

export function outagePauseMs(signs: number): number {
  return Math.min(2 ** (signs - 1) * 1_000, OUTAGE_PAUSE_MAX_MS);
}

/** Some times within the time after which a try that nobody speaks for counts as stuck. */
export function tellEveryMs(config: Pick<Config, "scheduler">): number {
  return Math.min(30, config.scheduler.task_queued_timeout / 4) * 1_000;
}

/** ListTasks is eventually consistent, and a container or a function needs some time to report its start. */
export const SETTLE_MS = 60_000;

export function listOf(text: string | null): string[] {
  return (text ?? "")
    .split(",")
    .map((one) => one.trim())
    .filter((one) => one !== "");
}

/** A container in AWS cannot reach a loopback address of this machine; in a test on one machine it can. */
export function warnIfUnreachable(executor: string, apiUrl: string, logger: Logger): void {
  if (/^https?:\/\/(127\.|localhost|0\.0\.0\.0|\[::1?\])/.test(apiUrl))
    logger.warn(
      { executor, apiUrl },
      "workers in AWS get a loopback address as the URL of Baram's API; set [api] base_url to one that they can reach",
    );
}
