/** A thread of `createHashPool`: derives one key after the other. */
import { scryptSync } from "node:crypto";
import { parentPort } from "node:worker_threads";
import { toError } from "../../platform/index.ts";

export type HashWork = {
  password: string;
  salt: Uint8Array;
  N: number;
  r: number;
  p: number;
  keyBytes: number;
  maxMemory: number;
};
export type HashAnswer = { key: Uint8Array } | { message: string };

parentPort?.on("message", ({ password, salt, N, r, p, keyBytes, maxMemory }: HashWork) => {
  let answer: HashAnswer;
  try {
    answer = { key: scryptSync(password, salt, keyBytes, { N, r, p, maxmem: maxMemory }) };
  } catch (error) {
    answer = { message: toError(error).message };
  }
  parentPort?.postMessage(answer);
});
