// Bundles DAG files in a child process, one at a time; each parsing slot has one.
//
// Decision: esbuild runs in a process of its own already, but its other half, which reads its answers, would be in the dag-processor, and
// throws where nothing can catch it: an answer with a text above V8's 512 MB ends the process. Limits on the inputs do not exclude such
// answers: each error carries its whole line, so one line with many wrong imports is multiplied, and esbuild reads package.json files
// by itself. So both halves may die here, with limits on time and memory, and only the file that is being bundled gets an import error.
// Violated when: a file of the DAG folder can block or end the dag-processor.

import { startTimer } from "../platform/index.ts";
import type { DagFileBundle } from "./bundle-dag-file.ts";
import { type BundleMessage, type BundleRequest, bundleMessageSchema } from "./child/bundle-messages.ts";
import { describeEnd } from "./child-faults.ts";
import { type Child, type ChildEnd, type ChildKind, startChild } from "./child-process.ts";
import { DagFileError } from "./import-error.ts";

export type Bundler = {
  /** As `bundleDagFile`; throws `DagFileError` also of kind `timeout`, `memory` or `crash`. Only one call at a time. */
  bundle(request: BundleRequest): Promise<DagFileBundle>;
  /** Ends the child, even while it bundles a file; the next call starts a new one. */
  stop(): Promise<void>;
};

const BUNDLING: ChildKind<BundleMessage> = { script: "bundle-entry.js", schema: bundleMessageSchema, countsItsChildren: true };
const START_TIMEOUT_MS = 30_000;

type Ending = { by: "message"; message: BundleMessage } | { by: "end"; end: ChildEnd } | { by: "timeout" };
type Running = { child: Child<BundleRequest>; isReady: boolean; settle: (ending: Ending) => void };

export function createBundler({ memoryMb, timeoutSec }: { memoryMb: number; timeoutSec: number }): Bundler {
  let running: Running | null = null;

  async function stop(): Promise<void> {
    const old = running;
    running = null;
    await old?.child.kill();
  }

  function start(): Running {
    // It gets no environment, which holds secrets of this process. It ends with its parent, so it needs no limit of CPU time.
    const options = { environment: {}, memoryMb, cpuLimitSec: null };
    const started: Running = {
      child: startChild(BUNDLING, options, (message) => started.settle({ by: "message", message })),
      isReady: false,
      settle: () => undefined,
    };
    void started.child.ended.then((end) => {
      if (running === started) running = null;
      started.settle({ by: "end", end });
    });
    running = started;
    return started;
  }

  return {
    stop,
    async bundle(request) {
      const current = running ?? start();
      const { child } = current;
      let ending: Ending = { by: "message", message: { type: "ready" } };
      if (!current.isReady) ending = await endingOf(current, START_TIMEOUT_MS, () => undefined);
      if (ending.by === "message") {
        current.isReady = true;
        child.forgetOutput();
        ending = await endingOf(current, timeoutSec * 1000, () => child.send(request));
      }
      if (ending.by === "message" && ending.message.type === "bundled") return ending.message.bundle;
      const file = request.path;
      if (ending.by === "message" && ending.message.type === "refused") {
        const { kind, message, ...place } = ending.message.error;
        // The bundler itself failed: its process may have ended.
        if (kind === "internal") await stop();
        throw new DagFileError(kind, message, place);
      }
      await stop();
      const detail = child.output();
      if (ending.by === "timeout") {
        const message = `bundling the file took longer than ${timeoutSec} s and was stopped; look for a named pipe among the package.json files next to what it imports, and bundle fewer packages`;
        throw new DagFileError("timeout", message, { file, detail });
      }
      if (ending.by === "message")
        throw new Error(ending.message.type === "failed" ? ending.message.message : "the bundler's process answered out of turn");
      const { end } = ending;
      if (end.memoryBytes !== null || end.fault !== null)
        throw describeEnd(end, { file, output: detail, moduleFolder: request.root, memoryMb });
      const how = end.signal ? `signal ${end.signal}` : `exit code ${end.code}`;
      const message = `bundling the file crashed the bundler's process (${how}); make the file and what it imports smaller`;
      throw new DagFileError("crash", message, { file, detail });
    },
  };
}

/** Whichever comes first: the child's next message, its end, or the timeout. */
function endingOf(running: Running, timeoutMs: number, begin: () => void): Promise<Ending> {
  return new Promise((resolve) => {
    const timer = startTimer(timeoutMs, () => resolve({ by: "timeout" }));
    running.settle = (ending) => {
      timer.cancel();
      resolve(ending);
    };
    begin();
  });
}
