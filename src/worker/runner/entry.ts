/**
 * A runner: the process in which user code runs. It has a module's path, a try's facts and the wire to its supervisor, and nothing
 * else: no token, no URL, no database. It runs one try at a time; the module stays loaded for the next.
 */
import { Socket } from "node:net";
import { limitLogRecord, type Outcome, outcomeSchema } from "../../contracts/index.ts";
import {
  BaramError,
  createMasker,
  createNameRule,
  describeIssue,
  importModule,
  isUnsendable,
  openWire,
  toError,
} from "../../platform/index.ts";
import { collectDags, type DagDefinition } from "../../sdk/runtime.ts";
import { type FromRunner, SPENT_REASON_MAX, type ToRunner } from "../wire/index.ts";
import { authorStack } from "./author-stack.ts";
import { createCaller } from "./caller.ts";
import { createLearningCaller } from "./learning-caller.ts";
import { watchPendingWork } from "./pending-work.ts";
import { captureProcessState, type ProcessState } from "./process-state.ts";
import { runCallback } from "./run-callback.ts";
import { runTask } from "./run-task.ts";
import type { LogRecord } from "./runner-caller.ts";
import { describeError } from "./task-failure.ts";
import { type Uncaught, watchUncaught } from "./uncaught.ts";

/** Reading it takes as long as a short task, so it is read again only after a while. */
const MEMORY_FRESH_MS = 50;

/** The original, before any task can replace it. */
const exit = process.exit.bind(process);
const modules = new Map<string, Promise<DagDefinition[]>>();
let rssBytes = 0;
let rssMeasuredAt = Number.NEGATIVE_INFINITY;
let stopTask = new AbortController();
/** The try is no longer assigned to this worker: its callbacks would report what is not true. */
let isLost = false;

const wire = openWire<ToRunner, FromRunner>(new Socket({ fd: 3, readable: true, writable: true }), {
  message: (message) => void onMessage(message),
  // The supervisor is gone, so nothing that runs here is needed any more.
  close: () => exit(70),
});
const answers = createCaller((message) => send(message));
/**
 * Masks what this process cuts, or passes to notifiers. The supervisor has a masker of its own, through which everything goes that leaves
 * here. Its arguments: parts of names that are sensitive, too.
 */
const masker = createMasker(createNameRule(process.argv.slice(2)));
const caller = createLearningCaller(answers, masker);
// The supervisor's request to stop. Without a handler the process would exit before the task could clean up.
process.on("SIGTERM", () => stopTask.abort(new BaramError("task_stopped", "the task was asked to stop")));
const pending = watchPendingWork();
/** Why this process must not run another try. */
let spent: string | null = null;
/** The process state after the module was loaded. */
let state: ProcessState | null = null;
const uncaught = watchUncaught({
  onError: (_error, text) => log({ level: "error", message: text }),
  onIdle: (text) => send({ type: "spent", reason: shortReason(text) }),
});
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
send({ type: "ready" });

/** If a message cannot be sent, its caller gets the reason. If the supervisor is gone, no caller is waiting. */
function send(message: FromRunner): void {
  wire.send(message).catch((error: unknown) => {
    if (!isUnsendable(error)) return exit(70);
    if (message.type === "call") {
      const text = `${message.method}: ${error.message}`;
      answers.answer({ type: "answer", call: message.call, ok: false, code: error.code, message: text });
    }
  });
}

/** As the supervisor accepts it. */
function shortReason(text: string): string {
  return text.slice(0, SPENT_REASON_MAX);
}

/** What the supervisor would not accept fails the try here, where the reason can still be said. */
function toAcceptable(outcome: Outcome): Outcome {
  const fault = outcomeSchema.safeParse(outcome).error;
  if (fault === undefined) return outcome;
  const message = `what the task reports cannot be taken: ${describeIssue(fault)}`.slice(0, 1_000);
  log({ level: "error", message });
  const error = { name: "OutcomeRefusedError", message, stack: null };
  return { state: "failed", retryable: false, owesCallback: true, error, xcoms: [] };
}

type OutcomeMessage = Extract<FromRunner, { type: "outcome" }>;

/** false = it cannot be sent: the try then fails with the reason, and the platform owes the callback. */
async function tellOutcome(message: OutcomeMessage): Promise<boolean> {
  const outcome = toAcceptable(message.outcome);
  try {
    await wire.send({ ...message, outcome });
    return outcome === message.outcome;
  } catch (error) {
    if (!isUnsendable(error)) return exit(70);
    const text = `how the task ended (its result, XComs, rendered fields, error) is too large to be handed over: ${error.message}`;
    log({ level: "error", message: text });
    const failure = { name: "OutcomeTooLargeError", message: text, stack: null };
    send({ ...message, outcome: { state: "failed", retryable: false, owesCallback: true, error: failure, xcoms: [] } });
    return false;
  }
}

function log(record: LogRecord): void {
  send({ type: "log", ...limitLogRecord(record) });
}

async function onMessage(message: ToRunner): Promise<void> {
  switch (message.type) {
    case "answer":
      return answers.answer(message);
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
  const reason = spent === null ? null : shortReason(spent);
  send({ type: "idle", rssBytes: measureMemory(), spent: reason, spawnedSince: pending.takeSpawned() });
}

/** Restores what the try changed in its process, so that the next try is not affected. */
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

/** Output and frames use different pipes: all output is written before `idle` is sent, so that the supervisor finds it. */
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
    const failure = describeError(toError(error));
    log({ level: "error", message: `the task failed before it began: its module cannot be loaded: ${failure.message}` });
    // What the module did until it failed is still in this process, and a second import would get the same failure from memory.
    spent ??= "a module could not be loaded in it";
    const outcome: Outcome = { state: "failed", retryable: true, error: failure, xcoms: [] };
    send({ type: "outcome", outcome: toAcceptable(outcome), endsProcess: false, spawnedSince: null });
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
    masker,
    log,
    signal: stopTask.signal,
    now: Date.now,
    onStopping: ({ outcome, limitSec }) => send({ type: "stopping", outcome: toAcceptable(outcome), limitSec }),
    uncaught: errors.thrown,
  });
  const left = errors.first() === null ? await pending.left() : null;
  const error = errors.first();
  if (error !== null) {
    // A plain Node process would have exited here: the state is unknown, and the task's work may still be running.
    const outcome = toAcceptable(failedBy(error, result.outcome));
    send({ type: "outcome", outcome, endsProcess: true, spawnedSince: pending.takeSpawned() });
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
  // The callbacks are not run here any more.
  return { ...failed, xcoms: [...failed.xcoms], owesCallback: true };
}

async function runOwedCallback({ modulePath, request }: Extract<ToRunner, { type: "callback" }>): Promise<void> {
  try {
    const dag = await loadDag(modulePath, request.dagRun.dagId);
    state ??= captureProcessState();
    pending.begin();
    const errors = uncaught.begin();
    await runCallback({ dag, request, caller, masker, log, signal: stopTask.signal, now: Date.now });
    spent ??= await leftByCallbacks(errors);
  } catch (error) {
    spent ??= "a callback could not be run in it";
    log({ level: "error", message: `the callback could not be run: ${authorStack(toError(error).stack ?? "")}` });
  }
}

async function loadDag(modulePath: string, dagId: string): Promise<DagDefinition> {
  let loading = modules.get(modulePath);
  if (!loading) {
    loading = collectDags(() => importModule(modulePath));
    modules.set(modulePath, loading);
    // The supervisor fetches it again; a module that has thrown cannot be loaded twice.
    loading.catch((error) => error.code === "module_hash_mismatch" && modules.delete(modulePath));
  }
  const dag = (await loading).find((one) => one.dagId === dagId);
  if (!dag) throw new BaramError("dag_not_in_module", `the module of this DAG version defines no DAG "${dagId}"`, { dagId });
  return dag;
}
