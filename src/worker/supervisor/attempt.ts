/**
 * One try that a supervisor holds:
 * - starting: the API is asked to start it; it becomes waiting, or is dropped if it is not this worker's to start;
 * - waiting: the API counts it as running and it is in every heartbeat, but it has no runner yet. A few are started ahead of their
 *   runners, so that a runner never waits for the API and starts and ends share round trips;
 * - running: its runner has it;
 * - reporting: its end is being sent to the API. No heartbeats any more: the API's answer decides;
 * - over: stored, or refused because the try is no longer assigned to this worker. Never left. `isLost` is independent of the
 *   state: the API said that the try is no longer assigned to this worker. It is stopped, and its outcome is not reported. So is
 *   `stopping`: a running try that was asked to stop becomes reporting when its task has ended or its process is gone.
 */
import type { ExecuteCallback, ExecuteTask, Outcome, RunContext, RunnerCalls, RunnerMethod } from "../../contracts/index.ts";
import { sleep, type Timer, toError } from "../../platform/index.ts";
import { isSensitiveName, type LogLine, type LogShipper, type LogWriter, type Masker } from "../../task-logs/index.ts";
import type { ToRunner } from "../wire/index.ts";
import { type ApiClient, ApiRefusal, isTransient } from "./api-client.ts";
import type { Runner } from "./runner-process.ts";

export type AttemptState = "starting" | "waiting" | "running" | "reporting" | "over";

/** Set for a try that was asked to stop. */
export type Stopping = {
  readonly atMs: number;
  /** Its executionTimeout, if that is the reason. */
  readonly limitSec: number | null;
  /** The outcome if its process has to be killed, or exits without reporting one. */
  readonly outcome: Outcome;
  /** The outcome is used whatever the task still reports: it was stopped for another reason. */
  readonly isDecided: boolean;
  isKilled: boolean;
};

export type Attempt = {
  readonly workload: ExecuteTask | ExecuteCallback;
  readonly id: string;
  readonly modulePath: string;
  runner: Runner | null;
  /** The message for its runner. */
  order: Exclude<ToRunner, { type: "answer" | "cancel" }> | null;
  readonly masker: Masker;
  readonly log: LogWriter;
  /** Set once the API has started it, if logs are shipped. */
  shipper: LogShipper | null;
  state: AttemptState;
  token: string;
  startedAt: number;
  isLost: boolean;
  /** Its outcome, which is not reported before its process is gone. */
  held: Outcome | null;
  /** Set once it is asked to stop. */
  stopping: Stopping | null;
  timers: Timer[];
};

/**
 * Whether nothing of the try has run before: a rescheduled or deferred try continues, and so does its log. A try number has only
 * one first start in a run; a callback's log is found by its unique id.
 */
export function isFirstStart({ order }: Pick<Attempt, "order">): boolean {
  return order?.type === "run" && order.context.taskRescheduleCount === 0 && !order.context.resume;
}

export function note(attempt: Attempt, level: LogLine["level"], event: string, facts: Record<string, unknown> = {}): void {
  attempt.log.write({ timestamp: new Date().toISOString(), level, event, logger: "baram", ...facts });
}

/** The outcome with every secret that the try has read masked in what will be shown. XComs are data and stay unmasked. */
export function maskOutcome(outcome: Outcome, masker: Masker): Outcome {
  const fields =
    outcome.renderedFields && (JSON.parse(masker.mask(JSON.stringify(outcome.renderedFields))) as typeof outcome.renderedFields);
  const shown = fields ? { ...outcome, renderedFields: fields } : outcome;
  if (shown.state !== "failed") return shown.state === "skipped" ? { ...shown, reason: masker.mask(shown.reason) } : shown;
  const { error } = shown;
  return {
    ...shown,
    error: { name: error.name, message: masker.mask(error.message), stack: error.stack && masker.mask(error.stack) },
  };
}

export function platformFailure(name: string, message: string): Outcome {
  return { state: "failed", retryable: true, error: { name, message, stack: null }, xcoms: [] };
}

/** Forwards a runner's call to the API with the try's token, and adds the secrets in the answer to the masker. */
export async function forwardCall(client: ApiClient, attempt: Attempt, method: RunnerMethod, params: unknown): Promise<unknown> {
  for (let tries = 0; ; tries++) {
    const { token } = attempt;
    try {
      const { result } = await client.post<{ result: unknown }>("baram/call", { method, params }, token);
      if (method === "getConnection") rememberConnection(attempt.masker, result as RunnerCalls["getConnection"]["result"]);
      if (method === "getVariable") rememberVariable(attempt.masker, params, result as RunnerCalls["getVariable"]["result"]);
      return result;
    } catch (error) {
      // The try's end was stored meanwhile: its callbacks go on with the token that the answer to it brings.
      if (error instanceof ApiRefusal && error.code === "try_not_running" && (await hasNewToken(attempt, token))) continue;
      // Reads and guarded writes: they can be retried safely, so they survive a restart of the API.
      if (!isTransient(error) || tries >= 60 || attempt.isLost) throw toError(error);
      await sleep(Math.min(1_000, 50 * 2 ** tries));
    }
  }
}

async function hasNewToken(attempt: Attempt, token: string): Promise<boolean> {
  while (attempt.state === "reporting") await sleep(20);
  return attempt.token !== token;
}

function rememberConnection(masker: Masker, connection: RunnerCalls["getConnection"]["result"]): void {
  if (!connection) return;
  if (connection.password) masker.add(connection.password);
  for (const [name, value] of Object.entries(connection.extra))
    if (typeof value === "string" && isSensitiveName(name)) masker.add(value);
}

function rememberVariable(masker: Masker, params: unknown, variable: RunnerCalls["getVariable"]["result"]): void {
  const { key } = params as RunnerCalls["getVariable"]["params"];
  if (variable && isSensitiveName(key)) masker.add(variable.value);
}

export function contextForRunner({ token: _token, ...context }: RunContext): Omit<RunContext, "token"> {
  return context;
}
