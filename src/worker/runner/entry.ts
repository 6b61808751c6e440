/**
 * A runner: the process in which user code runs. It knows a module's path, a try's facts and the wire to its supervisor,
 * and nothing else: no token, no URL, no database. One try at a time; the module stays loaded for the next.
 */
import { Socket } from "node:net";
import { pathToFileURL } from "node:url";
import type { Outcome } from "../../contracts/index.ts";
import { BaramError, isUnsendable, openWire, toError } from "../../platform/index.ts";
import { collectDags, type DagDefinition } from "../../sdk/runtime.ts";
import type { FromRunner, ToRunner } from "../wire/index.ts";
import { authorStack } from "./author-stack.ts";
import { createCaller } from "./caller.ts";
import { watchPendingWork } from "./pending-work.ts";
import { captureProcessState, type ProcessState } from "./process-state.ts";
import { runCallback } from "./run-callback.ts";
import { runTask } from "./run-task.ts";
import type { LogRecord } from "./runner-caller.ts";
import { describeError } from "./task-failure.ts";
import { type Uncaught, watchUncaught } from "./uncaught.ts";

/** A message of a gigabyte must not be copied into a frame; the supervisor cuts at its own, smaller limit. */
const LOG_MESSAGE_MAX = 1024 * 1024;

/** To ask the system for it takes as long as a short task; so it is asked again only after a while. */
const MEMORY_FRESH_MS = 50;

/** As it is before any task has replaced it. */
const exit = process.exit.bind(process);
const modules = new Map<string, Promise<DagDefinition[]>>();
let rssBytes = 0;
let rssMeasuredAt = Number.NEGATIVE_INFINITY;
let stopTask = new AbortController();
/** The try is no longer assigned to this worker: its callbacks would report what is not true. */
let isLost = false;

const wire = openWire<ToRunner, FromRunner>(new Socket({ fd: 3, readable: true, writable: true }), {
  message: (message) => void onMessage(message),
  // The supervisor is gone: whatever runs here is nobody's any more.
  close: () => exit(70),
});
const caller = createCaller((message) => send(message));
// The supervisor's request to stop; without a handler the process would end before the task could clean up.
process.on("SIGTERM", () => stopTask.abort(new BaramError("task_stopped", "the task was asked to stop")));
const pending = watchPendingWork();
/** Why this process serves no further try. */
let spent: string | null = null;
/** As the module left it, once it is loaded. */
let state: ProcessState | null = null;
const uncaught = watchUncaught({
  onError: (_error, text) => log({ level: "error", message: text }),
  onIdle: (text) => send({ type: "spent", reason: text }),
});
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
send({ type: "ready" });

/** Whoever waits for a message that cannot be sent is told why. Where the supervisor is gone, nobody waits for anything. */
function send(message: FromRunner): void {
  wire.send(message).catch((error: unknown) => {
    if (!isUnsendable(error)) return exit(70);
    if (message.type === "call") {
      const text = `${message.method}: ${error.message}`;
      caller.answer({ type: "answer", call: message.call, ok: false, code: error.code, message: text });
    }
    if (message.type === "log")
      log({ level: message.level, message: `${message.message} … [its facts are left out: ${error.message}]` });
  });
}

type OutcomeMessage = Extract<FromRunner, { type: "outcome" }>;

/** false = it cannot be sent: then the try fails with the reason, and the platform owes the callback for that. */
async function tellOutcome(message: OutcomeMessage): Promise<boolean> {
  try {
    await wire.send(message);
    return true;
  } catch (error) {
    if (!isUnsendable(error)) return exit(70);
    const text = `how the task ended (its result, XComs, rendered fields, error) is too large to be handed over: ${error.message}`;
    log({ level: "error", message: text });
    const failure = { name: "OutcomeTooLargeError", message: text, stack: null };
    send({ ...message, outcome: { state: "failed", retryable: false, owesCallback: true, error: failure, xcoms: [] } });
    return false;
  }
}

function log({ level, message, facts }: LogRecord): void {
  const text =
    message.length > LOG_MESSAGE_MAX
      ? `${message.slice(0, LOG_MESSAGE_MAX)}… [message truncated: ${message.length - LOG_MESSAGE_MAX} more characters]`
      : message;
  send({ type: "log", level, message: text, ...(facts ? { facts: JSON.parse(JSON.stringify(facts)) } : {}) });
}

async function onMessage(message: ToRunner): Promise<void> {
  switch (message.type) {
    case "answer":
      return caller.answer(message);
    case "cancel":
      isLost = message.isLost;
      return stopTask.abort(new BaramError("task_stopped", message.reason));
    case "run":
      stopTask = new AbortController();
      isLost = false;
      await runTry(message);
      break;
    case "callback":
      stopTask = new AbortController();
      await runOwedCallback(message);
      break;
  }
  uncaught.end();
  restore();
  await Promise.all([handOver(process.stdout), handOver(process.stderr)]);
  send({ type: "idle", rssBytes: measureMemory(), spent, spawnedSince: pending.takeSpawned() });
}

/** Puts back what the try changed of its process, so that the next one does not meet it. */
function restore(): void {
  const { restored = [], broken = null } = state?.restore() ?? {};
  if (restored.length > 0) log({ level: "debug", message: `put back as it was before the task: ${restored.join(", ")}` });
  spent ??= broken;
}

function measureMemory(): number {
  const now = performance.now();
  if (now - rssMeasuredAt >= MEMORY_FRESH_MS) {
    rssBytes = process.memoryUsage.rss();
    rssMeasuredAt = now;
  }
  return rssBytes;
}

/** Output and frames travel on different pipes: all output is in its pipe before `idle` is sent, so the supervisor finds it there. */
function handOver(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.writableLength === 0 || !stream.writable) resolve();
    else stream.write("", () => resolve());
  });
}

async function runTry({ modulePath, ti, context }: Extract<ToRunner, { type: "run" }>): Promise<void> {
  let dag: DagDefinition;
  try {
    dag = await loadDag(modulePath, ti.dagId);
  } catch (error) {
    const outcome: Outcome = { state: "failed", retryable: true, error: describeError(toError(error)), xcoms: [] };
    send({ type: "outcome", outcome, endsProcess: false, spawnedSince: null });
    return;
  }
  state ??= captureProcessState();
  pending.begin();
  const errors = uncaught.begin();
  const result = await runTask({
    dag,
    taskId: ti.taskId,
    ti,
    context,
    caller,
    log,
    signal: stopTask.signal,
    now: Date.now,
    onStopping: (stopping) => send({ type: "stopping", ...stopping }),
    uncaught: errors.thrown,
  });
  const left = errors.first() === null ? await pending.left() : null;
  const error = errors.first();
  if (error !== null) {
    // As a process of Node it would have ended there: it is in no known state, and what it was at may go on.
    send({ type: "outcome", outcome: failedBy(error, result.outcome), endsProcess: true, spawnedSince: pending.takeSpawned() });
    return;
  }
  if (left !== null) {
    spent = `the task left ${left} running`;
    const message = `the task left ${left} running, which ends with its process: clear timers and close what is open before the task ends`;
    log({ level: "warn", message });
  }
  const isTold = await tellOutcome({
    type: "outcome",
    outcome: result.outcome,
    endsProcess: left !== null,
    spawnedSince: pending.takeSpawned(),
  });
  if (!isTold || isLost) return;
  await result.runCallbacks();
  spent ??= await leftByCallbacks(errors);
}

async function leftByCallbacks(errors: Uncaught): Promise<string | null> {
  if (errors.first() !== null) return "an error in a callback that nobody caught";
  const left = pending.leftNow() === null ? null : await pending.left();
  return left === null ? null : `a callback left ${left} running`;
}

function failedBy(error: Error, outcome: Outcome): Outcome {
  const failed =
    outcome.state === "failed"
      ? outcome
      : ({ state: "failed", retryable: true, error: describeError(error), xcoms: [] } as const);
  // The callbacks do not run here any more.
  return { ...failed, xcoms: [...failed.xcoms], owesCallback: true };
}

async function runOwedCallback({ modulePath, request }: Extract<ToRunner, { type: "callback" }>): Promise<void> {
  try {
    const dag = await loadDag(modulePath, request.dagRun.dagId);
    state ??= captureProcessState();
    pending.begin();
    const errors = uncaught.begin();
    await runCallback({ dag, request, caller, log, signal: stopTask.signal, now: Date.now });
    spent ??= await leftByCallbacks(errors);
  } catch (error) {
    log({ level: "error", message: `the callback could not be run: ${authorStack(toError(error).stack ?? "")}` });
  }
}

async function loadDag(modulePath: string, dagId: string): Promise<DagDefinition> {
  let loading = modules.get(modulePath);
  if (!loading) {
    loading = collectDags(() => import(pathToFileURL(modulePath).href));
    modules.set(modulePath, loading);
  }
  const dag = (await loading).find((one) => one.dagId === dagId);
  if (!dag) throw new BaramError("dag_not_in_module", `the module of this DAG version defines no DAG "${dagId}"`, { dagId });
  return dag;
}
