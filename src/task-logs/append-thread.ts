/** The thread of `createThreadedFolderSink`: appends to files one after the other, and answers the texts of a batch in order. */
import { appendFileSync, closeSync, constants } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { toError } from "../platform/index.ts";
import { createLogPlaces, openLogFile, setAside } from "./open-log.ts";

/** The folder of all logs. */
export type AppendThreadData = { folder: string };
/** `isFirst`: this writer has not written to the file yet, so its folder may be missing. `isAnew`: see `AppendText`. */
export type AppendBatch = readonly { path: string; text: string; isFirst: boolean; isAnew: boolean }[];
/** Each file's size after its text, in bytes, or the reason why the text could not be written. */
export type AppendAnswers = readonly (number | string)[];

const { folder } = workerData as AppendThreadData;
const { O_APPEND, O_CREAT, O_WRONLY } = constants;
const places = createLogPlaces(folder);

parentPort?.on("message", (batch: AppendBatch) => {
  const answers: AppendAnswers = batch.map((one) => {
    try {
      return append(one);
    } catch (error) {
      return toError(error).message;
    }
  });
  places.release();
  parentPort?.postMessage(answers);
});

function append({ path, text, isFirst, isAnew }: AppendBatch[number]): number {
  const place = places.open(path, isFirst);
  try {
    if (isAnew) setAside(place);
    const { fd, size } = openLogFile(place.at(), O_WRONLY | O_APPEND | O_CREAT);
    try {
      appendFileSync(fd, text);
      return size + Buffer.byteLength(text);
    } finally {
      closeSync(fd);
    }
  } finally {
    place.close();
  }
}
