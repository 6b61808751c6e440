import type { Workload } from "../../contracts/index.ts";
import type { Logger } from "../../platform/index.ts";
import { idOf } from "./attempt.ts";
import type { ModuleStore } from "./module-store.ts";

type Queued = { readonly workload: Workload; modulePath: string | null };
export type Ready = { readonly workload: Workload; readonly modulePath: string };

/** Workloads that wait for a runner, in the order they came; their modules are fetched meanwhile. */
export type WorkQueue = {
  add(workload: Workload): void;
  has(id: string): boolean;
  readonly size: () => number;
  /** The first workload whose module is here and for which `take` finds a runner, with that runner; null = none now. */
  next<R>(take: (workload: Workload) => R | null): (Ready & { runner: R }) | null;
  remove(id: string): boolean;
  /** Empties the queue. */
  clear(): Workload[];
};

export function createWorkQueue(
  modules: ModuleStore,
  logger: Logger,
  on: { ready(): void; failed(id: string, reason: string): void },
): WorkQueue {
  let queue: Queued[] = [];
  return {
    size: () => queue.length,
    has: (id) => queue.some(({ workload }) => idOf(workload) === id),
    add(workload) {
      const entry: Queued = { workload, modulePath: null };
      queue.push(entry);
      modules.pathOf(workload.moduleHash, workload.token).then(
        (path) => {
          entry.modulePath = path;
          on.ready();
        },
        (error: Error) => {
          if (!queue.includes(entry)) return;
          queue = queue.filter((one) => one !== entry);
          logger.warn({ id: idOf(workload), error: error.message }, "a workload's module could not be fetched");
          on.failed(idOf(workload), error.message);
        },
      );
    },
    next(take) {
      // Where one try of a module finds no runner, no other of that module does; those of another may have theirs warm.
      const passedOver = new Set<string>();
      for (const [at, { workload, modulePath }] of queue.entries()) {
        if (modulePath === null || passedOver.has(workload.moduleHash)) continue;
        const runner = take(workload);
        if (runner === null) passedOver.add(workload.moduleHash);
        else {
          queue.splice(at, 1);
          return { workload, modulePath, runner };
        }
      }
      return null;
    },
    remove(id) {
      const before = queue.length;
      queue = queue.filter(({ workload }) => idOf(workload) !== id);
      return queue.length < before;
    },
    clear() {
      const all = queue.map(({ workload }) => workload);
      queue = [];
      return all;
    },
  };
}
