/**
 * A process for triggers of DAG files: many at once, in one event loop. It has modules' paths, the triggers' options and the wire
 * to its triggerer, and nothing else: no token, no database, no `BARAM_*` variable.
 */
import { Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { limitLogRecord } from "../../contracts/index.ts";
import {
  type BaramError,
  createOpenCalls,
  errorText,
  importModule,
  isUnsendable,
  openWire,
  toError,
} from "../../platform/index.ts";
import { collectDags, type TriggerClass, triggersOf } from "../../sdk/runtime.ts";
import type { TriggerCaller } from "../contract.ts";
import { createLoopWatch } from "../loop-watch.ts";
import type { FromChild, ToChild } from "./messages.ts";
import { runUserTrigger } from "./run-user-trigger.ts";
import { createTriggerContext } from "./trigger-context.ts";

type Start = Extract<ToChild, { type: "start" }>;

const modules = new Map<string, Promise<ReadonlyMap<string, TriggerClass>>>();
const running = new Map<number, AbortController>();
/** Of all triggers here. */
const calls = createOpenCalls();

const wire = openWire<ToChild, FromChild>(new Socket({ fd: 3, readable: true, writable: true }), {
  message: onMessage,
  // The triggerer is gone, so nothing that waits here is needed any more.
  close: () => process.exit(70),
});

// A blocked event loop does not see the wire close; a thread can see that the parent process changed.
new Worker(
  `const parent = process.ppid; setInterval(() => process.ppid !== parent && process.kill(process.pid, "SIGKILL"), 1000);`,
  { eval: true },
).unref();
process.on("unhandledRejection", (reason) => logForAll(`unhandled rejection in this process: ${toError(reason).stack}`));
// An uncaught error in one trigger's callback must not end the others; which trigger it was is unknown.
process.on("uncaughtException", (error) => logForAll(`uncaught exception in this process: ${error.stack}`));
process.on("SIGTERM", () => {});
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
createLoopWatch((blockedMs) => send({ type: "blocked", blockedMs })).start();
send({ type: "ready" });

function send(message: FromChild): void {
  wire.send(message).catch((error: unknown) => {
    if (!isUnsendable(error)) process.exit(70);
    sendInstead(message, error);
  });
}

/** If a message is too long, the trigger that sent it fails with that reason; the process's other triggers go on. */
function sendInstead(message: FromChild, error: BaramError): void {
  if (message.type === "end")
    send({ type: "end", id: message.id, end: { kind: "failed", message: `its event is too large: ${error.message}` } });
  if (message.type === "call") onMessage({ type: "answer", call: message.call, ok: false, message: error.message });
}

function onMessage(message: ToChild): void {
  switch (message.type) {
    case "ping":
      send({ type: "pong" });
      return;
    case "start":
      void start(message);
      return;
    case "cancel":
      running.get(message.id)?.abort(new Error("this trigger was cancelled"));
      return;
    case "answer":
      calls.answer(message.call, message.ok ? message : { ok: false, error: new Error(message.message) });
  }
}

async function start({ id, modulePath, name, kwargs, task }: Start): Promise<void> {
  const stop = new AbortController();
  running.set(id, stop);
  const call: TriggerCaller = (method, params) => calls.ask((number) => send({ type: "call", call: number, id, method, params }));
  const ctx = createTriggerContext({
    task,
    signal: stop.signal,
    call,
    log: (record) => send({ type: "log", id, ...record }),
  });
  try {
    const trigger = (await load(modulePath)).get(name);
    if (trigger === undefined) throw new Error(`the module of this DAG version registers no trigger "${name}"`);
    const end = await runUserTrigger(new trigger(kwargs), ctx);
    send(end === null ? { type: "stopped", id } : { type: "end", id, end });
  } catch (thrown) {
    send({ type: "end", id, end: { kind: "failed", message: errorText(thrown) } });
  } finally {
    running.delete(id);
  }
}

function load(modulePath: string): Promise<ReadonlyMap<string, TriggerClass>> {
  let loading = modules.get(modulePath);
  if (loading === undefined) {
    loading = collectDags(() => importModule(modulePath)).then(([dag]) => (dag ? triggersOf(dag) : new Map()));
    modules.set(modulePath, loading);
    // The triggerer fetches it again.
    loading.catch((error) => error.code === "module_hash_mismatch" && modules.delete(modulePath));
    const tell = () => send({ type: "loaded", modulePath });
    loading.then(tell, tell);
  }
  return loading;
}

function logForAll(message: string): void {
  for (const id of running.keys()) send({ type: "log", id, ...limitLogRecord({ level: "error", message }) });
}
