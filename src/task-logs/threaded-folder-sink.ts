import { Worker } from "node:worker_threads";
import { toError } from "../platform/index.ts";
import type { AppendAnswers, AppendBatch, AppendThreadData } from "./append-thread.ts";
import { createFolderSink, type LogSink } from "./log-sink.ts";

/**
 * Texts that arrive within this time are sent to the thread in one message: each message wakes it, which took an eighth of a busy
 * supervisor's time.
 */
const GATHER_MS = 3;

type Waiting = AppendBatch[number] & { resolve(sizeBytes: number): void; reject(error: Error): void };

/**
 * Like `createFolderSink`, with one thread that writes all files. Four jobs of libuv's thread pool for each try's log (mkdir,
 * open, write, close) took half of a busy supervisor's CPU time. The thread needs one message for all texts of a few
 * milliseconds, and a slow disk delays no heartbeats. `entry`: path of the compiled `append-thread`.
 */
export function createThreadedFolderSink(folder: string, entry: string): LogSink & { close(): Promise<void> } {
  const thread = new Worker(entry, { workerData: { folder } satisfies AppendThreadData });
  let gathered: Waiting[] = [];
  const sent: Waiting[][] = [];
  /** The thread has ended; files are then written on this thread. */
  let isGone = false;

  thread.on("message", (answers: AppendAnswers) => {
    for (const [at, one] of (sent.shift() ?? []).entries()) {
      const answer = answers[at];
      if (typeof answer === "number") one.resolve(answer);
      else one.reject(new Error(answer));
    }
  });
  const onGone = (error: Error) => {
    isGone = true;
    for (const one of [...sent.splice(0).flat(), ...gathered.splice(0)]) one.reject(error);
  };
  thread.on("error", (error) => onGone(toError(error)));
  thread.on("exit", (code) => onGone(new Error(`the log writer thread ended with code ${code}`)));

  function send(): void {
    const batch = gathered;
    gathered = [];
    if (batch.length === 0) return;
    sent.push(batch);
    thread.postMessage(batch.map(({ path, text, isFirst, isAnew }) => ({ path, text, isFirst, isAnew })) satisfies AppendBatch);
  }

  return {
    open(path) {
      const direct = createFolderSink(folder).open(path);
      let texts = 0;
      return (text, isAnew = false) => {
        if (isGone) return direct(text, isAnew);
        const isFirst = texts++ === 0;
        return new Promise((resolve, reject) => {
          if (gathered.length === 0) setTimeout(send, GATHER_MS);
          gathered.push({ path, text, isFirst, isAnew, resolve, reject });
        });
      };
    },
    async close() {
      await thread.terminate();
    },
  };
}
