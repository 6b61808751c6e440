/**
 * Detects what a task has left running when it ends: timers, connections, servers, watchers, threads, requests in flight. Such work
 * would run beside the next task, print into its log, and fail it if it throws.
 */
import child_process from "node:child_process";
import { subscribe } from "node:diagnostics_channel";
import { syncBuiltinESMExports } from "node:module";
import type { Worker } from "node:worker_threads";
import { newestPid } from "../../platform/index.ts";

/** The originals, before any task can replace them. */
const { setImmediate, setTimeout, clearTimeout } = globalThis;

export type PendingWork = {
  /** Call before a try begins: existing work belongs to the module. */
  begin(): void;
  /**
   * What was started since `begin` and still runs, as text: "2 timers, 1 connection"; null = nothing. Waits a moment for work that
   * is about to end.
   */
  left(): Promise<string | null>;
  /** As `left`, without waiting. */
  leftNow(): string | null;
  /**
   * The system's newest pid before the first process was started since `begin` or the last call; null = none was started. Processes
   * may leave orphans behind, which are found by their higher pids.
   */
  takeSpawned(): number | null;
};

/** A write that was not awaited or a closing socket ends within a few turns of the event loop. */
const LOOKS_MS = [0, 1, 2, 5, 10, 20, 30, 50] as const;

const NAMES: Readonly<Record<string, readonly [string, string]>> = {
  Timeout: ["timer", "timers"],
  TCPSocketWrap: ["connection", "connections"],
  TCPServerWrap: ["server", "servers"],
  UDPWrap: ["UDP socket", "UDP sockets"],
  ProcessWrap: ["child process", "child processes"],
  MessagePort: ["message port", "message ports"],
  FSEventWrap: ["file watcher", "file watchers"],
  StatWatcher: ["file watcher", "file watchers"],
  PipeWrap: ["pipe", "pipes"],
};
/** The runner's own pending output and frames; a task's use a pipe or a socket, which is counted. */
const OWN = new Set(["WriteWrap", "SimpleWriteWrap", "ShutdownWrap"]);

export function watchPendingWork(): PendingWork {
  let before = new Map<string, number>();
  let spawnedSince: number | null = null;
  const unrefed = watchUnrefedTimers();
  const threads = watchThreads();
  onSpawn(() => {
    spawnedSince ??= newestPid();
  });

  function look(): string | null {
    const found: string[] = [];
    const now = countActive();
    for (const [type, count] of now) {
      const more = count - (before.get(type) ?? 0);
      if (more > 0) found.push(named(more, NAMES[type] ?? [type, type]));
    }
    const running = threads.alive();
    if (running > 0) found.push(named(running, ["worker thread", "worker threads"]));
    const hidden = unrefed.alive();
    if (hidden > 0) found.push(named(hidden, ["timer without ref", "timers without ref"]));
    return found.length === 0 ? null : found.join(", ");
  }

  return {
    begin() {
      before = countActive();
      spawnedSince = null;
      unrefed.begin();
      threads.begin();
    },
    async left() {
      let found: string | null = null;
      for (const ms of LOOKS_MS) {
        await turn(ms);
        found = look();
        if (found === null) break;
      }
      return found;
    },
    leftNow: look,
    takeSpawned() {
      const taken = spawnedSince;
      spawnedSince = null;
      return taken;
    },
  };
}

/** After a full turn of the event loop, in which unhandled rejections are emitted. */
function turn(ms: number): Promise<void> {
  return new Promise((resolve) => {
    if (ms === 0) setImmediate(resolve);
    else setTimeout(resolve, ms);
  });
}

function countActive(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const type of process.getActiveResourcesInfo()) if (!OWN.has(type)) counts.set(type, (counts.get(type) ?? 0) + 1);
  return counts;
}

function named(count: number, [one, many]: readonly [string, string]): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Above this number of timers, those that have fired are removed. */
const UNREFED_MAX = 1_000;

type Timer = NodeJS.Timeout & { _destroyed?: boolean };

/**
 * Node does not list timers that do not keep the event loop alive, and timers of Node itself (of `fetch`) are not the task's work.
 * So timers are tracked when `unref()` is called on them.
 */
function watchUnrefedTimers(): { begin(): void; alive(): number } {
  let timers = new Set<Timer>();
  let looksAgainAt = UNREFED_MAX;
  const isAlive = (timer: Timer) => timer._destroyed !== true && !timer.hasRef();
  const probe = setTimeout(() => {}, 0);
  clearTimeout(probe);
  const prototype = Object.getPrototypeOf(probe) as { unref(this: Timer): Timer };
  const { unref } = prototype;
  prototype.unref = function unrefTimer(this: Timer) {
    unref.call(this);
    if (isCalledByNode()) return this;
    timers.add(this);
    // A task may create millions of timers, most of them short.
    if (timers.size >= looksAgainAt) {
      timers = new Set([...timers].filter(isAlive));
      looksAgainAt = Math.max(UNREFED_MAX, 2 * timers.size);
    }
    return this;
  };
  return {
    begin() {
      if (timers.size > 0) timers = new Set();
    },
    alive: () => (timers.size === 0 ? 0 : [...timers].filter(isAlive).length),
  };
}

/** Node lists no threads. */
function watchThreads(): { begin(): void; alive(): number } {
  let threads = new Set<Worker>();
  process.on("worker", (thread: Worker) => {
    const among = threads;
    among.add(thread);
    thread.once("exit", () => among.delete(thread));
  });
  return {
    begin() {
      threads = new Set();
    },
    alive: () => threads.size,
  };
}

/** Whether the calling function was called by Node's own code. */
function isCalledByNode(): boolean {
  const { prepareStackTrace, stackTraceLimit } = Error;
  Object.assign(Error, { prepareStackTrace: (_error: Error, sites: NodeJS.CallSite[]) => sites, stackTraceLimit: 3 });
  const sites = new Error().stack as unknown as NodeJS.CallSite[];
  Object.assign(Error, { prepareStackTrace, stackTraceLimit });
  return sites[2]?.getFileName()?.startsWith("node:") === true;
}

function onSpawn(note: () => void): void {
  subscribe("child_process", note);
  // Processes that are run synchronously do not use this channel.
  for (const name of ["spawnSync", "execSync", "execFileSync"] as const) {
    const run = child_process[name] as (...given: unknown[]) => unknown;
    const noted = (...given: unknown[]) => {
      note();
      return run(...given);
    };
    Object.assign(child_process, { [name]: noted });
  }
  syncBuiltinESMExports();
}
