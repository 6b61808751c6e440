// Evaluates modules in child processes, one at a time; the dag-processor has one evaluator for each parsing slot.
//
// Decision: a child evaluates several files in a row. A new process per file would isolate them, but starting Node and
// importing the SDK takes 180 to 250 ms against 5 to 10 ms in a warm child (measured on 2 cores, Node 20), so 500 files in two
// slots would take a minute instead of some 4 s. Leaks between files are limited instead: the child compares its globals,
// built-in prototypes, environment, working folder, listeners and handles before and after each file (child/leaks.ts) and is
// replaced on any difference, after any failure, for a module it has loaded before, and after `filesPerProcess` files.
// This finds what a file leaves behind by accident. The child cannot judge a file that means harm: it runs in the same process and
// can change whatever judges it. Where authors do not trust each other, `filesPerProcess` is 1.
// Violated when: a file's DAGs depend on which files were evaluated before it.

import { dirname } from "node:path";
import { startTimer } from "../platform/index.ts";
import { type ChildMessage, childMessageSchema, type EvaluateRequest } from "./child/messages.ts";
import { describeEnd, describeThrown } from "./child-faults.ts";
import { type Child, type ChildEnd, type ChildKind, type ChildOptions, startChild } from "./child-process.ts";
import { DagFileError } from "./import-error.ts";

const START_TIMEOUT_MS = 30_000;

export const EVALUATION: ChildKind<ChildMessage> = { script: "entry.js", schema: childMessageSchema, countsItsChildren: false };

export type EvaluatorOptions = Omit<ChildOptions, "cpuLimitSec"> & { timeoutSec: number; filesPerProcess: number };

/** The installation's defaults, and where the plans of custom timetables start. */
export type EvaluationFacts = Omit<EvaluateRequest, "id" | "modulePath">;

export type Evaluation = Pick<Extract<ChildMessage, { type: "dags" }>, "dags" | "plans" | "looseEnds">;

export type Evaluator = {
  /**
   * Returns the serialized DAGs that a module defines, and the plans of custom timetables by dagId, not validated. `file` is the
   * DAG file's path for messages. Throws `DagFileError` of kind `threw`, `timeout`, `memory`, `exit`, `crash` or `internal`. Only
   * one call at a time.
   */
  evaluate(modulePath: string, file: string, facts: EvaluationFacts): Promise<Evaluation>;
  /** Ends the child, even while it loads a file; the next call starts a new one. */
  stop(): Promise<void>;
};

type Warm = {
  child: Child<EvaluateRequest>;
  isReady: Promise<void>;
  evaluated: Set<string>;
  onMessage: (message: ChildMessage) => void;
};
type Ending = { by: "message"; message: ChildMessage } | { by: "end"; end: ChildEnd } | { by: "timeout" };

export function createEvaluator(options: EvaluatorOptions): Evaluator {
  let warm: Warm | null = null;
  let lastId = 0;

  async function discard(): Promise<void> {
    const old = warm;
    warm = null;
    await old?.child.kill();
  }

  return {
    stop: discard,
    async evaluate(modulePath, file, facts) {
      if (warm?.evaluated.has(modulePath)) await discard();
      const current =
        warm ??
        startWarm(options, (ended) => {
          if (warm === ended) warm = null;
        });
      warm = current;
      const moduleFolder = dirname(modulePath);
      const id = ++lastId;
      const started = await endingOf(current, START_TIMEOUT_MS, current.isReady);
      if (started.by === "message") {
        current.child.forgetOutput();
        current.evaluated.add(modulePath);
        current.child.send({ id, modulePath, ...facts });
      }
      const ending = started.by === "message" ? await endingOf(current, options.timeoutSec * 1000) : started;
      const { child } = current;
      if (ending.by === "message" && ending.message.type === "dags" && ending.message.id === id) {
        if (ending.message.leaks.length > 0 || current.evaluated.size >= options.filesPerProcess) await discard();
        return ending.message;
      }
      // Ended before the message is written, so that the message includes its last output.
      if (warm === current) await discard();
      const place = { file, moduleFolder, output: child.output() };
      if (ending.by === "timeout") {
        const message = `loading the file took longer than ${options.timeoutSec} s and was stopped; keep slow work inside tasks`;
        throw new DagFileError("timeout", message, { file, detail: place.output });
      }
      if (ending.by === "end") throw describeEnd(ending.end, { ...place, memoryMb: options.memoryMb });
      throw describeThrown(ending.message, place);
    },
  };
}

/** `onEnd`: a child that dies between two files must not be blamed on the second one. */
function startWarm(options: EvaluatorOptions, onEnd: (warm: Warm) => void): Warm {
  let onReady = () => {};
  const isReady = new Promise<void>((resolve) => {
    onReady = resolve;
  });
  const cpuLimitSec = 60 + options.timeoutSec * options.filesPerProcess;
  const warm: Warm = {
    child: startChild(EVALUATION, { ...options, cpuLimitSec }, (message) =>
      message.type === "ready" ? onReady() : warm.onMessage(message),
    ),
    isReady,
    evaluated: new Set(),
    onMessage: () => undefined,
  };
  void warm.child.ended.then(() => onEnd(warm));
  return warm;
}

/** Whichever comes first: the child's next message (or `ready`), its end, or the timeout. */
function endingOf(warm: Warm, timeoutMs: number, isReady?: Promise<void>): Promise<Ending> {
  return new Promise((resolve) => {
    const timer = startTimer(timeoutMs, () => resolve({ by: "timeout" }));
    const settle = (ending: Ending) => {
      timer.cancel();
      resolve(ending);
    };
    void isReady?.then(() => settle({ by: "message", message: { type: "ready" } }));
    warm.onMessage = (message) => settle({ by: "message", message });
    void warm.child.ended.then((end) => settle({ by: "end", end }));
  });
}
