/** The thread of `createThreadedFolderSink`: appends to files, one after the other, and answers each batch in its order. */
import { appendFileSync, closeSync, fstatSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { parentPort } from "node:worker_threads";
import { toError } from "../platform/index.ts";
import { FILE_MODE, FOLDER_MODE } from "./log-sink.ts";

export type AppendBatch = readonly { file: string; text: string }[];
/** Each file's size after its text, in bytes; or why the text could not be kept. */
export type AppendAnswers = readonly (number | string)[];

parentPort?.on("message", (batch: AppendBatch) => {
  const answers: AppendAnswers = batch.map(({ file, text }) => {
    try {
      return append(file, text);
    } catch (error) {
      return toError(error).message;
    }
  });
  parentPort?.postMessage(answers);
});

function append(file: string, text: string): number {
  const place = openToAppend(file);
  try {
    appendFileSync(place, text);
    return fstatSync(place).size;
  } finally {
    closeSync(place);
  }
}

function openToAppend(file: string): number {
  try {
    return openSync(file, "a", FILE_MODE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    mkdirSync(dirname(file), { recursive: true, mode: FOLDER_MODE });
    return openSync(file, "a", FILE_MODE);
  }
}
