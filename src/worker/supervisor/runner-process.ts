/**
 * A runner process, as seen by its supervisor:
 * - booting: started, has not said `ready`;
 * - idle: may be given a try; `moduleHash` is the module it has loaded, null = none yet;
 * - busy: has a try; left by its `idle` message (outcome and callbacks done);
 * - ended: its process is gone, or its wire broke. Never left.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import type { Duplex, Readable } from "node:stream";
import {
  type Account,
  BaramError,
  checkBy,
  commandAs,
  createLineSplitter,
  createMasker,
  createNameRule,
  isUnsendable,
  keepProcess,
  type LineSplitter,
  type Masker,
  openWire,
  ownPipes,
  type ProcessBoxes,
  type ProcessMark,
  signalGroup,
  startTimer,
  type Wire,
} from "../../platform/index.ts";
import { fromRunnerSchema, type ReceivedFromRunner, type ToRunner } from "../wire/index.ts";

/** Output that takes this thread longer at a time is a flood. It is then left alone for so many times as long. */
const FLOOD_MS = 5;
const FLOOD_PAUSE = 4;

export type RunnerState = "booting" | "idle" | "busy" | "ended";
export type RunnerEvents = {
  ready(): void;
  message(message: Exclude<ReceivedFromRunner, { type: "ready" }>): void;
  /** A line the task wrote to its stdout or stderr. */
  output(line: string, stream: "stdout" | "stderr"): void;
  /** Called once, when the process and everything it started are gone. */
  ended(how: string): void;
};

export type RunnerOptions = {
  /** Path of the runner's entry in dist. */
  entry: string;
  environment: Readonly<Record<string, string>>;
  maxLineBytes: number;
  /** Parts of names that are sensitive in addition to Baram's own list. */
  sensitiveNames: readonly string[];
  /** The operating system user that it runs as; null = this process's own. */
  account: Account | null;
  boxes: ProcessBoxes | null;
  /** Whether no other runner of the account is busy. */
  isAlone: (runner: Runner) => boolean;
  on: RunnerEvents;
};

export type Runner = {
  readonly pid: number;
  /** Knows the secrets that tries in this process have read. It lives as long as the process, as its modules do. */
  readonly masker: Masker;
  readonly account: Account | null;
  state: RunnerState;
  moduleHash: string | null;
  triesServed: number;
  rssBytes: number;
  idleSince: number;
  /**
   * Why it must not run another try: it was asked to stop and the signal may still arrive, or what a task left behind cannot be
   * undone.
   */
  spent: string | null;
  /** `onRefused`: the message is too long to be sent; the runner goes on without it. */
  send(message: ToRunner, onRefused?: (error: BaramError) => void): void;
  /** SIGTERM to the group; the runner turns it into an abort of the task. */
  terminate(): void;
  /** SIGKILL to everything the runner ever started. `why`: what is told as its end. */
  kill(why?: string): void;
  /** Ends what a task left running behind it: its children, and what was started by them since that pid. */
  sweep(since?: number | null): void;
  /** Resolves when all has arrived that was in the pipes of stdout and stderr. */
  drainOutput(): Promise<void>;
  /** All of the try's output has arrived: a last line without a line end counts too. */
  endOutput(): void;
};

export function startRunner(options: RunnerOptions): Runner {
  const mark: ProcessMark = { name: "BARAM_RUNNER_ID", value: randomUUID() };
  const { on, account } = options;
  const environment = { ...options.environment, [mark.name]: mark.value };
  const args = ["--enable-source-maps", options.entry, ...options.sensitiveNames];
  const start = commandAs(account, process.execPath, args, environment);
  const child: ChildProcess = spawn(start.command, start.args, {
    ...start.options,
    // Its own process group: a Ctrl-C at the terminal does not reach it, a kill reaches all of it.
    detached: true,
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  ownPipes(child);
  // It has no user code yet, so nothing that it starts can be outside.
  const keeper = keepProcess(child.pid ?? 0, { mark, account, boxes: options.boxes, isAlone: () => options.isAlone(runner) });
  let endedBy: string | null = null;
  let killedFor: string | null = null;
  let isReady = false;
  let isDraining = false;
  let wire: Wire<ToRunner> | null = null;
  const outputs: LineSplitter[] = [];

  const runner: Runner = {
    pid: child.pid ?? 0,
    masker: createMasker(createNameRule(options.sensitiveNames)),
    account,
    state: "booting",
    moduleHash: null,
    triesServed: 0,
    rssBytes: 0,
    idleSince: 0,
    spent: null,
    send(message, onRefused) {
      wire?.send(message).catch((error: unknown) => {
        if (isUnsendable(error)) onRefused?.(error);
        // A broken wire is reported by `ended`.
      });
    },
    terminate() {
      runner.spent ??= "it was asked to stop";
      signalGroup(runner.pid, "SIGTERM");
    },
    kill(why) {
      killedFor ??= why ?? null;
      keeper.killAll();
    },
    sweep(since = null) {
      if (since !== null || keeper.hasOthers()) keeper.killOthers(since);
    },
    async drainOutput() {
      isDraining = true;
      let turns = 2;
      for (const stream of [child.stdout, child.stderr]) {
        if (!stream?.isPaused()) continue;
        stream.resume();
        turns = 4;
      }
      // A pipe is read completely in one turn of the event loop. A stream that was paused needs two more.
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      isDraining = false;
    },
    endOutput() {
      for (const lines of outputs) lines.end();
    },
  };
  const end = (how: string) => {
    if (endedBy !== null) return;
    endedBy = how;
    runner.state = "ended";
    // The caller may start the try's successor now, so nothing that the process started may be left.
    void keeper.killUntilGone().then(() => on.ended(how));
  };
  child.once("error", (error) => end(`could not be started: ${error.message}`));
  // `close`, not `exit`, so that the last lines of output have arrived. A forked child may hold the pipes open, hence the timer.
  child.once("exit", (code, signal) => {
    runner.state = "ended";
    const how = killedFor ?? describeEnd(code, signal);
    setTimeout(() => end(how), 100).unref();
    child.once("close", () => end(how));
  });
  if (child.pid === undefined) return runner;

  for (const [stream, name] of [
    [child.stdout, "stdout"],
    [child.stderr, "stderr"],
  ] as const) {
    const lines = createLineSplitter(options.maxLineBytes, (line) => on.output(line, name));
    outputs.push(lines);
    stream?.on("data", (chunk: Buffer) => {
      const from = performance.now();
      lines.push(chunk);
      const tookMs = performance.now() - from;
      // A flood of lines: the task waits for its pipe, and not the other tries for this thread.
      if (tookMs < FLOOD_MS || isDraining) return;
      stream.pause();
      startTimer(tookMs * FLOOD_PAUSE, () => stream.resume()).unref();
    });
    stream?.on("end", () => {
      lines.end();
      // A live process that has closed it would lose the output of its next tasks.
      runner.spent ??= `its ${name} was closed`;
    });
  }
  wire = openWire<ReceivedFromRunner, ToRunner>(child.stdio[3] as Duplex & Readable, {
    check: checkBy(fromRunnerSchema),
    message(message) {
      if (message.type === "ready") {
        // Once: user code may say it again, and the time that a process takes to boot is learnt from it.
        if (runner.state !== "booting" || isReady) return;
        isReady = true;
        void keeper.held.then(() => {
          if (runner.state === "booting") runner.state = "idle";
          on.ready();
        });
      } else on.message(message);
    },
    close(fault) {
      // Without its wire a runner is useless, and after a protocol fault its messages cannot be trusted.
      if (fault instanceof BaramError)
        runner.kill(`was killed, since something in it wrote to the descriptor that belongs to Baram: ${fault.message}`);
      else if (fault) runner.kill();
      else setTimeout(() => endedBy === null && runner.kill(), 1_000).unref();
    },
  });
  return runner;
}

const SIGNALS_MEAN: Readonly<Partial<Record<NodeJS.Signals, string>>> = {
  SIGKILL: "out of memory, or kill -9",
  SIGABRT: "Node.js aborts when its heap is full: hold less in memory at once, or do the work in a program of its own",
};

/** How a runner's process ended by itself, with the likely reason of an end that its log does not explain. */
function describeEnd(code: number | null, signal: NodeJS.Signals | null): string {
  if (signal === null)
    return `ended with exit code ${code}${code === 0 ? " (a task ends by returning, not by process.exit)" : ""}`;
  const meaning = SIGNALS_MEAN[signal];
  return `was killed by ${signal}${meaning === undefined ? "" : ` (${meaning})`}`;
}
