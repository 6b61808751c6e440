import type { Executor, ExecutorEvent } from "../../src/executors/index.ts";

export type VirtualExecutor = Executor & {
  emit(event: ExecutorEvent): void;
  /** The try has ended for the executor: its slot is free. */
  drop(id: string): void;
};

/** An executor whose workers are actors of the history. */
export function createVirtualExecutor(slots: number, handOver: (id: string, tryNumber: number) => void): VirtualExecutor {
  const inHand = new Set<string>();
  let events: ExecutorEvent[] = [];
  return {
    name: "LocalExecutor",
    start: async () => {},
    end: async () => {},
    slotsAvailable: () => slots - inHand.size,
    queue(workloads) {
      for (const workload of workloads) {
        if (workload.type !== "ExecuteTask") continue;
        inHand.add(workload.ti.id);
        handOver(workload.ti.id, workload.ti.tryNumber);
      }
    },
    takeEvents() {
      const taken = events;
      events = [];
      for (const event of taken) inHand.delete(event.id);
      return taken;
    },
    adopt: async (tries) => tries.filter(({ id }) => inHand.has(id)).map(({ id }) => id),
    revoke: (id) => void inHand.delete(id),
    emit: (event) => void events.push(event),
    drop: (id) => void inHand.delete(id),
  };
}
