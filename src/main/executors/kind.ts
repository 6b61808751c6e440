import type { Config } from "../../config/index.ts";
import type { SerializedTask } from "../../contracts/index.ts";
import type { Executor, ExecutorOptions } from "../../executors/index.ts";
import type { ExecutorSurroundings } from "./surroundings.ts";

/** All that the platform, its errors and its docs know of one executor. */
export type ExecutorKind = {
  make(config: Config, options: ExecutorOptions, around: ExecutorSurroundings): Executor;
  /** What can be told beforehand of a task that it cannot run, or null. */
  faultOf?(config: Config, task: SerializedTask): string | null;
  /** For the tables of the README and of docs/executors.md: "A task runs …", and so on. */
  docs: {
    runs: string;
    goodFor: string;
    notFor: string;
    /** Its page in docs/executors, or null where docs/executors.md says all. */
    page: string | null;
  };
};
