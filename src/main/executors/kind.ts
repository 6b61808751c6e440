import type { Config } from "../../config/index.ts";
import type { SerializedTask } from "../../contracts/index.ts";
import type { Executor, ExecutorOptions } from "../../executors/index.ts";
import type { ExecutorSurroundings } from "./surroundings.ts";

/** Everything that the platform, its errors and its docs need to know about one kind of executor. */
export type ExecutorKind = {
  make(config: Config, options: ExecutorOptions, around: ExecutorSurroundings): Executor;
  /** Why it cannot run a task, as far as that is known beforehand, or null. */
  faultOf?(config: Config, task: SerializedTask, dagId: string): string | null;
  /** For `baram executors check`. */
  check: {
    /** Whether it reports that an outside system has launched a workload. */
    launches: boolean;
    /** What to look at when no worker calls: one or more sentences. */
    whenSilent: string;
  };
  /** For the tables of the README and of docs/executors.md: "A task runs …", and so on. */
  docs: {
    runs: string;
    goodFor: string;
    notFor: string;
    /** Its page in docs/executors, or null if docs/executors.md is enough. */
    page: string | null;
  };
};
