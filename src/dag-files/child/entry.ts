// The process in which DAG files are evaluated. It has no token, no database connection and a clean environment. It answers on
// file descriptor 3, and its parent kills it if a file takes too much time or memory.

import { writeSync } from "node:fs";
import { Socket } from "node:net";
import { type BaramError, encodeFrame, importModule, isUnsendable, openWire, toError } from "../../platform/index.ts";
import { DagDefinitionError } from "../../sdk/index.ts";
import { collectDags, type DagDefinition, looseEndsOf, planTimetable, serializeDag, setDagDefaults } from "../../sdk/runtime.ts";
import { validateTimetable } from "../../timetables/index.ts";
import { watchLeaks } from "./leaks.ts";
import { type ChildMessage, type EvaluateRequest, evaluateRequestSchema, TEXT_MAX, type Thrown } from "./messages.ts";
import { explainMissingExport } from "./missing-export.ts";

const ANSWER_FD = 3;
/** Only one is shown; a module that many files share may have many unused ones. */
const LOOSE_ENDS_MAX = 1_000;
let evaluating: { id: number; fail: (thrown: unknown) => void } | null = null;

// The file's code can write to the descriptor too, so the receiver must limit and validate all messages.
const wire = openWire<unknown, ChildMessage>(withOwnMethods(new Socket({ fd: ANSWER_FD, readable: true, writable: true })), {
  message: (message) => void evaluate(evaluateRequestSchema.parse(message)),
  // The parent has ended: nobody needs the answer.
  close: endNow,
});

// Work that a file starts and does not await must fail while that file is evaluated, not the next one.
process.on("uncaughtException", (error) => evaluating?.fail(error));
process.on("unhandledRejection", (reason) => evaluating?.fail(reason));

// Runs inside the call of process.exit, so the stack contains the line of the DAG file that called it.
process.on("exit", (code) => {
  const stack = new Error("process.exit").stack ?? null;
  try {
    writeSync(ANSWER_FD, encodeFrame({ type: "exiting", id: evaluating?.id ?? null, code, stack } satisfies ChildMessage));
  } catch {
    // The pipe is full or closed; the parent sees the exit code.
  }
});

send({ type: "ready" });

async function evaluate(request: EvaluateRequest): Promise<void> {
  const { id } = request;
  const findLeaks = watchLeaks();
  try {
    const { dags, plans, looseEnds } = await load(request);
    evaluating = null;
    await wire.send({ type: "dags", id, dags, plans, leaks: findLeaks(), looseEnds });
  } catch (error) {
    evaluating = null;
    const thrown = isUnsendable(error) ? explainUnsendable(error) : error;
    send({ type: "threw", id, error: await describeThrown(thrown, request.modulePath) });
  }
}

function explainUnsendable(fault: BaramError): Error {
  if (fault.code === "frame_malformed")
    return Object.assign(new Error(`what this file defines cannot be kept: ${fault.message}`), { stack: undefined });
  const error = new Error(`the DAGs of this file are too large together: ${fault.message}. Define fewer in one file`);
  return Object.assign(error, { name: "DagFileTooLargeError", stack: undefined });
}

type LooseEnds = { message: string; stack: string }[];
type Loaded = { dags: unknown[]; plans: Record<string, unknown>; looseEnds: LooseEnds };

function load({ id, modulePath, defaults, seeds, now }: EvaluateRequest): Promise<Loaded> {
  return new Promise((resolve, reject) => {
    evaluating = { id, fail: reject };
    setDagDefaults(defaults);
    collectDags(() => importModule(modulePath))
      .then((dags) => ({ dags: dags.map(serializeChecked), plans: planAll(dags, seeds, now), looseEnds: listLooseEnds(dags) }))
      // One turn of the event loop, so that an unhandled rejection is reported for this file.
      .then((loaded) => setImmediate(() => resolve(loaded)), reject);
  });
}

/** The parent validates it too, but does not know the line. */
function serializeChecked(dag: DagDefinition): ReturnType<typeof serializeDag> {
  const serialized = serializeDag(dag);
  const problem = validateTimetable(serialized.timetable);
  if (problem === null) return serialized;
  const error = new DagDefinitionError("INVALID_SCHEDULE", `DAG "${dag.dagId}": ${problem}`);
  const [, ...frames] = dag.definedAt.stack?.split("\n") ?? [];
  throw Object.assign(error, { stack: [`${error.name}: ${error.message}`, ...frames].join("\n") });
}

/** Those of the file and of the modules it imports; the parent distinguishes them. */
function listLooseEnds([dag]: readonly DagDefinition[]): LooseEnds {
  const looseEnds = dag === undefined ? [] : looseEndsOf(dag);
  return looseEnds.slice(0, LOOSE_ENDS_MAX).map(({ message, madeAt }) => ({ message, stack: madeAt?.stack ?? "" }));
}

function planAll(dags: readonly DagDefinition[], seeds: EvaluateRequest["seeds"], now: number): Record<string, unknown> {
  return Object.fromEntries(
    dags.flatMap((dag) => {
      const { customTimetable } = dag.facts;
      if (customTimetable === null) return [];
      const seed = Object.hasOwn(seeds, dag.dagId) ? (seeds[dag.dagId] ?? null) : null;
      return [[dag.dagId, planTimetable(dag, customTimetable, seed, now)]];
    }),
  );
}

async function describeThrown(thrown: unknown, modulePath: string): Promise<Thrown> {
  const error = toError(thrown);
  const missing = typeof error.message === "string" ? await explainMissingExport(error, modulePath) : null;
  if (missing !== null) return { name: shownText(error.name), ...missing };
  const { name, message, stack } = error;
  return { name: shownText(name), message: shownText(message), stack: typeof stack === "string" ? shownText(stack) : null };
}

/** An author's error may have any values there. */
function shownText(value: unknown): string {
  try {
    return String(value).slice(0, TEXT_MAX);
  } catch {
    return "a value that cannot be shown";
  }
}

/** What a file changes in the classes of streams then does not reach the answers about it and the files after it. */
function withOwnMethods(socket: Socket): Socket {
  for (let from = Object.getPrototypeOf(socket); from !== Object.prototype; from = Object.getPrototypeOf(from)) {
    for (const key of Reflect.ownKeys(from)) {
      const method: unknown = Reflect.getOwnPropertyDescriptor(from, key)?.value;
      if (typeof method === "function" && !Object.hasOwn(socket, key)) Object.defineProperty(socket, key, { value: method });
    }
  }
  return socket;
}

function send(message: ChildMessage): void {
  wire.send(message).catch(endNow);
}

function endNow(): void {
  process.kill(process.pid, "SIGKILL");
}
