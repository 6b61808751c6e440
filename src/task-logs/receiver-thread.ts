/** The thread of `createLogReceiver`: writes pieces of logs one after the other, and answers the pieces of a batch in order. */
import { parentPort, workerData } from "node:worker_threads";
import { toError } from "../platform/index.ts";
import { type LogPiece, type LogReceipt, type LogReceiverOptions, receivePiece } from "./log-receiver.ts";

export type PieceBatch = readonly { path: string; piece: LogPiece }[];
export type PieceAnswers = readonly (LogReceipt | { message: string })[];

parentPort?.on("message", (batch: PieceBatch) => {
  const answers: PieceAnswers = batch.map(({ path, piece }) => {
    try {
      return receivePiece(workerData as LogReceiverOptions, path, piece);
    } catch (error) {
      return { message: toError(error).message };
    }
  });
  parentPort?.postMessage(answers);
});
