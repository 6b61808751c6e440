import { LOG_PIECES_MAX, LOG_PIECES_MAX_BYTES, type LogAnswers } from "../../contracts/index.ts";
import { toError } from "../../platform/index.ts";
import type { LogPiece, LogReceipt } from "../../task-logs/index.ts";
import { type ApiClient, ApiRefusal } from "./api-client.ts";
import { bearerOf } from "./bearer.ts";

/** Rejects with ApiRefusal if the piece was refused, with another error if the API could not be reached. */
export type LogSender = (token: string, piece: LogPiece) => Promise<LogReceipt>;

type Waiting = {
  token: string;
  piece: LogPiece;
  sizeBytes: number;
  resolve(receipt: LogReceipt): void;
  reject(error: Error): void;
};

/** Sends pieces of many tries' logs to the API: while one request is in flight, the next pieces are collected. */
export function createLogSender(client: ApiClient): LogSender {
  let waiting: Waiting[] = [];
  let isUnderWay = false;

  async function pump(): Promise<void> {
    if (isUnderWay) return;
    isUnderWay = true;
    while (waiting.length > 0) await sendBatch(takeBatch());
    isUnderWay = false;
  }

  /** Always the first, and as many others as fit. */
  function takeBatch(): Waiting[] {
    let roomBytes = LOG_PIECES_MAX_BYTES;
    let count = 0;
    for (const { sizeBytes } of waiting) {
      roomBytes -= sizeBytes;
      if (count > 0 && (roomBytes < 0 || count >= LOG_PIECES_MAX)) break;
      count++;
    }
    const batch = waiting.slice(0, count);
    waiting = waiting.slice(count);
    return batch;
  }

  async function sendBatch(batch: readonly Waiting[]): Promise<void> {
    try {
      const pieces = batch.map(({ token, piece }) => ({ token, ...piece }));
      const answer = await client.post<LogAnswers>(
        "baram/logs",
        { pieces },
        bearerOf(
          batch.map(({ token }) => token),
          client.workerToken,
        ),
      );
      for (const [at, one] of batch.entries()) {
        const given = answer.pieces[at];
        if (given && "received" in given) one.resolve(given);
        else if (given) one.reject(new ApiRefusal(given.status, given.code, given.message));
        else one.reject(new Error("the API's answer does not contain the piece"));
      }
    } catch (error) {
      for (const one of batch) one.reject(toError(error));
    }
  }

  return (token, piece) =>
    new Promise((resolve, reject) => {
      waiting.push({ token, piece, sizeBytes: Buffer.byteLength(piece.text), resolve, reject });
      // Not at once, so that pieces added in the same turn of the event loop are included.
      setImmediate(() => void pump());
    });
}
