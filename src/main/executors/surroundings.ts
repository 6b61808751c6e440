import type { Logger } from "../../platform/index.ts";
import type { FindConnection } from "../find-connection.ts";

/** What executors are made with, besides their options. */
export type ExecutorSurroundings = {
  /** Where their workers reach Baram's API. */
  apiUrl: string;
  findConnection: FindConnection;
  logger: Logger;
};
