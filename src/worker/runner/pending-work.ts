/**
 * What a task has left running when it ends: timers, connections, servers, watchers, threads, requests under way. Such work would go on
 * beside the next task, print into its log, and fail it where it throws.
 */
import child_process from "node:child_process";
import { subscribe } from "node:diagnostics_channel";
import { syncBuiltinESMExports } from "node:module";
import type { Worker } from "node:worker_threads";
import { newestPid } from "../../platform/index.ts";

/** As they are before any task has replaced them. */
const { setImmediate, setTimeout, clearTimeout } = globalThis;

export type PendingWork = {
  /** Call before a try begins: what is there already belongs to the module. */
  begin(): void;
  /** What was begun since and still runs, for people: "2 timers, 1 connection"; null = nothing. Waits a moment for what is about to end. */
  left(): Promise<string | null>;
  /** The same, at this moment. */
  leftNow(): string | null;
  /**
   * The newest pid of the system before a process was first started since `begin` or the last such question; null = none was. What is started
   * may leave others behind that are nobody's child.
   */
  takeSpawned(): number | null;
};

/** A write that was not awaited, a socket that closes: such things are over in a few turns of the event loop. */
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
/** The runner's own output and frames on their way; a task's are on a pipe or a socket, which is counted. */
const OWN = new Set(["WriteWrap", "ShutdownWrap"]);

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

/** Past a turn of the event loop, in which rejections that nobody handles are told. */
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

/** More timers than that are gone through for those that are over. */
const UNREFED_MAX = 1_000;

type Timer = NodeJS.Timeout & { _destroyed?: boolean };

/**
 * Timers that do not hold the event loop are in no list of Node's; those of Node itself (of `fetch`) are no work of the task's. A timer
 * becomes such a one by `unref()` only.
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
    // A task may make millions of them, and most are over soon.
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

/** Whether the caller of the function that asks is Node's own code. */
function isCalledByNode(): boolean {
  const { prepareStackTrace, stackTraceLimit } = Error;
  Object.assign(Error, { prepareStackTrace: (_error: Error, sites: NodeJS.CallSite[]) => sites, stackTraceLimit: 3 });
  const sites = new Error().stack as unknown as NodeJS.CallSite[];
  Object.assign(Error, { prepareStackTrace, stackTraceLimit });
  return sites[2]?.getFileName()?.startsWith("node:") === true;
}

function onSpawn(note: () => void): void {
  subscribe("child_process", note);
  // What is started and waited for at once has no such channel.
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
