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
import {
  type ExecuteCallback,
  type ExecuteTask,
  LABEL_MAX,
  type Outcome,
  type RunContext,
  workloadId,
} from "../../contracts/index.ts";
import {
  type Account,
  type Accounts,
  accountOf,
  createMasker,
  learnFromCall,
  type Masker,
  sleep,
  type Timer,
  toError,
} from "../../platform/index.ts";
import { type LogLine, type LogShipper, type LogWriter, platformLine } from "../../task-logs/index.ts";
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
  /** Calls of its runner that are not answered yet. */
  openCalls: number;
};

/** One that asks to be started. */
export function newAttempt(workload: Attempt["workload"], modulePath: string, log: LogWriter): Attempt {
  return {
    workload,
    id: workloadId(workload),
    modulePath,
    runner: null,
    order: null,
    log,
    shipper: null,
    state: "starting",
    token: workload.token,
    startedAt: Date.now(),
    isLost: false,
    held: null,
    stopping: null,
    timers: [],
    openCalls: 0,
  };
}

/**
 * Whether the try's log begins now: a rescheduled or deferred try continues, and so does its log; the platform may have written into
 * it why the try had to wait. A try number has only one first start in a run; a callback's log is found by its unique id.
 */
export function isLogAnew({ order }: Pick<Attempt, "order">): boolean {
  if (order?.type !== "run") return false;
  const { taskRescheduleCount, resume, isLogBegun } = order.context;
  return taskRescheduleCount === 0 && !resume && !isLogBegun;
}

export function note(attempt: Attempt, level: LogLine["level"], event: string, facts: Record<string, unknown> = {}): void {
  attempt.log.write(platformLine(level, event, facts));
}

/** What a try's log says of an outage of the API; `error` is null when it is over. */
export function noteOutage(attempt: Attempt, error: string | null): void {
  if (error === null) note(attempt, "info", "the API is reachable again");
  else
    note(
      attempt,
      "warn",
      `the API cannot be reached, and the task goes on; its outcome is reported when the API is back: ${error}`,
    );
}

/** A try without a process has read no secret. */
const KNOWS_NOTHING = createMasker();

/** The masker of the process that runs the try: its module may also hold what an earlier try has read. */
export function maskerOf({ runner }: Pick<Attempt, "runner">): Masker {
  return runner?.masker ?? KNOWS_NOTHING;
}

/** What a try is given may hold secrets by their names: the run's conf, and what the task kept over its deferral. */
export function learnFromOrder(masker: Masker, order: NonNullable<Attempt["order"]>): void {
  const { dagRun } = order.type === "run" ? order.context : order.request;
  masker.addNamed("conf", dagRun.conf);
  if (order.type !== "run" || !order.context.resume) return;
  masker.addNamed("kwargs", order.context.resume.kwargs);
  masker.addNamed("event", order.context.resume.event);
}

/** The outcome with every secret masked in what will be shown. XComs are data for other tasks and stay unmasked. */
export function maskOutcome(outcome: Outcome, masker: Masker): Outcome {
  const shown = { ...outcome };
  if (shown.renderedFields) shown.renderedFields = masker.redact(shown.renderedFields);
  if ("renderedMapIndex" in shown && shown.renderedMapIndex !== undefined) {
    // Its runner cuts a longer label without a mark.
    const label = shown.renderedMapIndex;
    shown.renderedMapIndex = masker.mask(label, label.length >= LABEL_MAX).slice(0, LABEL_MAX);
  }
  if (shown.state === "skipped") shown.reason = masker.mask(shown.reason);
  if (shown.state === "failed") {
    const { name, message, stack } = shown.error;
    shown.error = { name: masker.mask(name), message: masker.mask(message), stack: stack && masker.mask(stack) };
  }
  return shown;
}

export function platformFailure(name: string, message: string): Outcome {
  return { state: "failed", retryable: true, error: { name, message, stack: null }, xcoms: [] };
}

/**
 * Forwards a runner's call to the API with the try's token. Its masker learns the secrets in the call and in the answer, and masks what a
 * call leaves for others to read. `windowMs`: how long it waits for an API that is away.
 */
export async function forwardCall(
  client: ApiClient,
  attempt: Attempt,
  method: string,
  params: unknown,
  windowMs: number,
): Promise<unknown> {
  learn(attempt, method, params, null);
  if (method === "maskSecret") return null;
  const shown = maskParams(method, params, maskerOf(attempt));
  const deadline = performance.now() + windowMs;
  for (let tries = 0; ; tries++) {
    const { token } = attempt;
    try {
      const { result } = await client.post<{ result: unknown }>("baram/call", { method, params: shown }, token);
      learn(attempt, method, params, result);
      return result;
    } catch (error) {
      // It expired while the API was away: the next heartbeat brings another one.
      if (error instanceof ApiRefusal && error.code === "token_expired" && (await isRenewed(attempt, token, deadline))) continue;
      // The try's end was stored meanwhile: its callbacks go on with the token that the answer to it brings.
      if (error instanceof ApiRefusal && error.code === "try_not_running" && (await hasNewToken(attempt, token))) continue;
      // Reads and guarded writes: they can be retried safely, so they survive a restart of the API.
      if (!isTransient(error) || performance.now() > deadline || attempt.isLost) throw toError(error);
      await sleep(Math.min(1_000, 50 * 2 ** tries));
    }
  }
}

async function isRenewed(attempt: Attempt, token: string, deadline: number): Promise<boolean> {
  while (attempt.token === token && performance.now() < deadline && !attempt.isLost) await sleep(100);
  return attempt.token !== token;
}

async function hasNewToken(attempt: Attempt, token: string): Promise<boolean> {
  while (attempt.state === "reporting") await sleep(20);
  return attempt.token !== token;
}

function learn(attempt: Attempt, method: string, params: unknown, answer: unknown): void {
  const masker = maskerOf(attempt);
  learnFromCall(masker, method, params, answer);
  const warning = masker.takeWarning();
  if (warning !== null) note(attempt, "warn", warning);
}

/** Rendered fields, a run's note and a variable's description are for people; all other parameters are data. */
function maskParams(method: string, params: unknown, masker: Masker): unknown {
  if (typeof params !== "object" || params === null) return params;
  const given = params as Record<string, unknown>;
  const { fields, note: text, description } = given;
  if (method === "putRenderedFields") return { ...given, fields: masker.redact(fields) };
  if (method === "triggerDagRun" && typeof text === "string") return { ...given, note: masker.mask(text) };
  if (method === "setVariable" && typeof description === "string") return { ...given, description: masker.mask(description) };
  return params;
}

export function contextForRunner({ token: _token, ...context }: RunContext): Omit<RunContext, "token"> {
  return context;
}

/** The operating system user of its task. */
export function accountOfAttempt({ workload, order }: Attempt, accounts: Accounts): Account {
  if (workload.type === "ExecuteTask") return accountOf(workload.ti.dagId, accounts);
  return order?.type === "callback" ? accountOf(order.request.dagRun.dagId, accounts) : accounts.account;
}
