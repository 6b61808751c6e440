/** The thread of `createThreadedFolderSink`: appends to files, one after the other, and answers each batch with what failed. */
import { appendFileSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { parentPort } from "node:worker_threads";
import { toError } from "../platform/index.ts";
import { FILE_MODE, FOLDER_MODE } from "./log-sink.ts";

export type AppendBatch = readonly { file: string; text: string }[];
/** Places in the batch, and why they failed. */
export type AppendAnswer = readonly { at: number; message: string }[];

parentPort?.on("message", (batch: AppendBatch) => {
  const faults = batch.flatMap(({ file, text }, at) => {
    try {
      append(file, text);
      return [];
    } catch (error) {
      return [{ at, message: toError(error).message }];
    }
  });
  parentPort?.postMessage(faults satisfies AppendAnswer);
});

function append(file: string, text: string): void {
  try {
    appendFileSync(file, text, { mode: FILE_MODE });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    mkdirSync(dirname(file), { recursive: true, mode: FOLDER_MODE });
    appendFileSync(file, text, { mode: FILE_MODE });
  }
}
