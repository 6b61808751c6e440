import type { Logger } from "../../platform/index.ts";
import type { FindConnection } from "../find-connection.ts";

/** What executors need besides their options. */
export type ExecutorSurroundings = {
  /** The URL under which their workers reach Baram's API. */
  apiUrl: string;
  findConnection: FindConnection;
  logger: Logger;
};
