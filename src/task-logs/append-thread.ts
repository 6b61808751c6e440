/** The thread of `createThreadedFolderSink`: appends to files one after the other, and answers the texts of a batch in order. */
import { appendFileSync, closeSync, fstatSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { parentPort } from "node:worker_threads";
import { toError } from "../platform/index.ts";
import { FILE_MODE, FOLDER_MODE, setAside } from "./log-sink.ts";

/** `isFirst`: this writer has not written to the file yet, so its folder may be missing. `isAnew`: see `AppendText`. */
export type AppendBatch = readonly { file: string; text: string; isFirst: boolean; isAnew: boolean }[];
/** Each file's size after its text, in bytes, or the reason why the text could not be written. */
export type AppendAnswers = readonly (number | string)[];

parentPort?.on("message", (batch: AppendBatch) => {
  const answers: AppendAnswers = batch.map(({ file, text, isFirst, isAnew }) => {
    try {
      if (isAnew) setAside(file);
      if (isFirst) makeFolderOf(file);
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
    makeFolderOf(file);
    return openSync(file, "a", FILE_MODE);
  }
}

function makeFolderOf(file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: FOLDER_MODE });
}
