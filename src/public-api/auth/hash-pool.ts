import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { BaramError, startTimer, type Timer, toError } from "../../platform/index.ts";
import type { HashAnswer, HashWork } from "./hash-thread.ts";

export type HashPool = {
  /** Rejects with `login_busy` if too many others wait. */
  derive(work: HashWork): Promise<Uint8Array>;
  close(): Promise<void>;
};

export type HashPoolOptions = {
  /** Path of the compiled `hash-thread`. */
  entry: string;
  threads?: number;
  /** Hashes that may wait for a thread. */
  waitingMax?: number;
  idleMs?: number;
};

type Job = { work: HashWork; resolve(key: Uint8Array): void; reject(error: Error): void };
type Thread = { worker: Worker; job: Job | null; idle: Timer | null };

/** One core is left to the event loop. Each thread needs 32 MB while it works. */
const THREADS = Math.max(1, Math.min(2, availableParallelism() - 1));
/** With 0.1 s each on one thread, the last one waits for 4 s. */
const WAITING_MAX = 40;
const IDLE_MS = 10_000;
const RETRY_AFTER_SEC = 5;

/**
 * Threads of their own for the hashes of passwords. Node's `scrypt` works on libuv's four threads, which files, DNS and the login at
 * PostgreSQL use as well: 100 logins at once stopped these for half a minute. Threads start with the first hash, and end when there was
 * none for a while. What the queue cannot hold is refused at once.
 */
export function createHashPool(options: HashPoolOptions): HashPool {
  const { entry, threads: threadsMax = THREADS, waitingMax = WAITING_MAX, idleMs = IDLE_MS } = options;
  const threads = new Set<Thread>();
  const waiting: Job[] = [];

  function start(): Thread {
    const worker = new Worker(entry);
    // The thread does not keep the process alive.
    worker.unref();
    const thread: Thread = { worker, job: null, idle: null };
    threads.add(thread);
    worker.on("message", (answer: HashAnswer) => {
      const { job } = thread;
      thread.job = null;
      if ("key" in answer) job?.resolve(answer.key);
      else job?.reject(new Error(`a password could not be hashed: ${answer.message}`));
      next(thread);
    });
    const onGone = (error: Error) => {
      thread.idle?.cancel();
      threads.delete(thread);
      thread.job?.reject(error);
      thread.job = null;
      // A fault may have taken the last thread.
      const job = waiting.shift();
      if (job) run(start(), job);
    };
    worker.on("error", (error) => onGone(toError(error)));
    worker.on("exit", (code) => threads.has(thread) && onGone(new Error(`the hashing thread ended with code ${code}`)));
    return thread;
  }

  function run(thread: Thread, job: Job): void {
    thread.idle?.cancel();
    thread.job = job;
    thread.worker.postMessage(job.work);
  }

  function next(thread: Thread): void {
    const job = waiting.shift();
    if (job) run(thread, job);
    else thread.idle = startTimer(idleMs, () => void end(thread)).unref();
  }

  async function end(thread: Thread): Promise<void> {
    threads.delete(thread);
    await thread.worker.terminate();
  }

  return {
    derive(work) {
      return new Promise((resolve, reject) => {
        const job: Job = { work, resolve, reject };
        const free = [...threads].find((thread) => thread.job === null);
        if (free) run(free, job);
        else if (threads.size < threadsMax) run(start(), job);
        else if (waiting.length < waitingMax) waiting.push(job);
        else reject(busy());
      });
    },
    async close() {
      for (const job of waiting.splice(0)) job.reject(busy());
      for (const thread of threads) thread.job?.reject(busy());
      await Promise.all([...threads].map(end));
    },
  };
}

export function busy(): BaramError {
  return new BaramError("login_busy", `Too many logins at once. Try again in ${RETRY_AFTER_SEC} s.`, {
    retryAfterSec: RETRY_AFTER_SEC,
  });
}
