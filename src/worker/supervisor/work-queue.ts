import { type RunnerWorkload, workloadId } from "../../contracts/index.ts";
import type { ModuleStore } from "./module-store.ts";

type Queued = { readonly workload: RunnerWorkload; modulePath: string | null };
export type Ready = { readonly workload: RunnerWorkload; readonly modulePath: string };

/** Workloads waiting to be started, in order of arrival; their modules are fetched meanwhile. */
export type WorkQueue = {
  add(workload: RunnerWorkload): void;
  has(id: string): boolean;
  /** Whether a workload that waits needs the module. */
  needs(moduleHash: string): boolean;
  readonly size: () => number;
  /** Removes and returns the first workload whose module is cached and that need not wait; null = none. */
  next(mustWait: (workload: RunnerWorkload) => boolean): Ready | null;
  remove(id: string): boolean;
  /** Empties the queue. */
  clear(): RunnerWorkload[];
};

export function createWorkQueue(modules: ModuleStore, on: { ready(): void; failed(id: string, error: Error): void }): WorkQueue {
  let queue: Queued[] = [];
  return {
    size: () => queue.length,
    has: (id) => queue.some(({ workload }) => workloadId(workload) === id),
    needs: (moduleHash) => queue.some(({ workload }) => workload.moduleHash === moduleHash),
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
          on.failed(workloadId(workload), error);
        },
      );
    },
    next(mustWait) {
      const at = queue.findIndex(({ workload, modulePath }) => modulePath !== null && !mustWait(workload));
      const [found] = at === -1 ? [] : queue.splice(at, 1);
      return found?.modulePath ? { workload: found.workload, modulePath: found.modulePath } : null;
    },
    remove(id) {
      const before = queue.length;
      queue = queue.filter(({ workload }) => workloadId(workload) !== id);
      return queue.length < before;
    },
    clear() {
      const all = queue.map(({ workload }) => workload);
      queue = [];
      return all;
    },
  };
}
