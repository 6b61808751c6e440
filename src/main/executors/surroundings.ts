import type { Logger } from "../../platform/index.ts";
import type { FindConnection } from "../find-connection.ts";

/** What executors need besides their options. */
export type ExecutorSurroundings = {
  /** The URL under which their workers reach Baram's API. */
  apiUrl: string;
  findConnection: FindConnection;
  /** See `FindEnded`; for the executor of this name. */
  findEnded(executor: string, ids: readonly string[]): Promise<string[]>;
  logger: Logger;
};
