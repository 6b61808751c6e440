import { Worker } from "node:worker_threads";
import { toError } from "../platform/index.ts";
import type { LogReceiverOptions } from "./log-receiver.ts";
import type { PieceAnswers, PieceBatch } from "./receiver-thread.ts";

export type LogReceiver = {
  /**
   * Writes the new bytes of each piece, and answers in order: a receipt, or the reason why it could not be written. Rejects if
   * the thread ends.
   */
  append(pieces: PieceBatch): Promise<PieceAnswers>;
  close(): Promise<void>;
};

type Waiting = { resolve(answers: PieceAnswers): void; reject(error: Error): void };

/**
 * Receives pieces of logs from workers (see log-receiver.ts) on a thread that starts with the first piece. A piece needs a dozen
 * calls of the file system, which took a third of a busy API server's time on its main thread and libuv's four. `entry`: path of
 * the compiled `receiver-thread`.
 */
export function createLogReceiver(options: LogReceiverOptions, entry: string): LogReceiver {
  let current: { thread: Worker; waiting: Waiting[] } | null = null;

  function start(): NonNullable<typeof current> {
    const thread = new Worker(entry, { workerData: options });
    // The thread does not keep the process alive.
    thread.unref();
    const started = { thread, waiting: [] as Waiting[] };
    thread.on("message", (answers: PieceAnswers) => started.waiting.shift()?.resolve(answers));
    const onGone = (error: Error) => {
      if (current === started) current = null;
      for (const one of started.waiting.splice(0)) one.reject(error);
    };
    thread.on("error", (error) => onGone(toError(error)));
    thread.on("exit", (code) => onGone(new Error(`the log writer thread ended with code ${code}`)));
    return started;
  }

  return {
    append(pieces) {
      current ??= start();
      const { thread, waiting } = current;
      return new Promise((resolve, reject) => {
        waiting.push({ resolve, reject });
        thread.postMessage(pieces);
      });
    },
    async close() {
      await current?.thread.terminate();
    },
  };
}
