import type { ClaimedTrigger } from "../contract.ts";
import { type ChildEvents, type ChildOptions, startTriggerChild, type TriggerChild } from "./child-process.ts";

/** A process without triggers is ended after this long: the next deferral of its DAG may come soon. */
const IDLE_MS = 10_000;

export type ChildPool = {
  start(trigger: ClaimedTrigger, modulePath: string): void;
  cancel(id: number): void;
  pids(): number[];
  stop(): void;
};

/**
 * The processes for triggers of DAG files: one per module, so that a module that blocks or dies harms its own triggers only.
 * Beyond `maxProcesses`, a module shares the process with the fewest triggers.
 */
export function createChildPool(options: ChildOptions & { maxProcesses: number }, on: ChildEvents): ChildPool {
  const byModule = new Map<string, TriggerChild>();
  const idleTimers = new Map<TriggerChild, NodeJS.Timeout>();
  const children = () => [...new Set(byModule.values())];

  function childFor(hash: string): TriggerChild {
    const known = byModule.get(hash);
    if (known) return known;
    const living = children();
    const [fewest] = living.sort((a, b) => a.ids.size - b.ids.size);
    const child = fewest && living.length >= options.maxProcesses ? fewest : startChild();
    byModule.set(hash, child);
    return child;
  }

  function startChild(): TriggerChild {
    const child = startTriggerChild(options, {
      ...on,
      end(id, end) {
        on.end(id, end);
        watchIdle(child);
      },
      died(how, ids) {
        forget(child);
        on.died(how, ids);
      },
    });
    return child;
  }

  function forget(child: TriggerChild): void {
    clearTimeout(idleTimers.get(child));
    idleTimers.delete(child);
    for (const [hash, one] of byModule) if (one === child) byModule.delete(hash);
  }

  function watchIdle(child: TriggerChild): void {
    if (child.ids.size > 0) return;
    clearTimeout(idleTimers.get(child));
    const timer = setTimeout(() => {
      if (child.ids.size > 0) return;
      forget(child);
      child.kill();
    }, IDLE_MS);
    timer.unref();
    idleTimers.set(child, timer);
  }

  return {
    start(trigger, modulePath) {
      childFor(trigger.moduleHash ?? "").start(trigger, modulePath);
    },
    cancel(id) {
      for (const child of children()) {
        if (!child.ids.has(id)) continue;
        child.cancel(id);
        watchIdle(child);
      }
    },
    pids: () => children().map((child) => child.pid),
    stop() {
      for (const child of children()) child.kill();
    },
  };
}
