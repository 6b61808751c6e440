/**
 * The processes for triggers of DAG files. A trigger here is
 * - ordinary: in its module's process, with all others of the module;
 * - suspect: its process died with others in it, or died of it before. It runs in a process that takes no further triggers: those
 *   that died together in two halves, one that died alone by itself. So a culprit is alone after log2(group size) deaths, and the
 *   others go on meanwhile; only a trigger that was alone is charged with a death;
 * - waiting: a suspect for which there is no process yet.
 *
 * Suspects have `maxProcesses` of their own. If more groups wait, the oldest process that has lived for `provenMs` loses its
 * suspect status: its triggers are ordinary again. If a process dies while it loads a module, no single trigger is to blame: all
 * triggers of that module are charged.
 */
import type { TriggerEnd } from "../../contracts/index.ts";
import { type Account, type Accounts, accountOf, startTimer, type Timer } from "../../platform/index.ts";
import type { ClaimedTrigger } from "../contract.ts";
import { type ChildEvents, type ChildOptions, startTriggerChild, type TriggerChild } from "./child-process.ts";

/** A process without triggers is ended after this long: the next deferral of its DAG may come soon. */
const IDLE_MS = 10_000;
const PROVEN_MS = 10_000;

export type PoolEvents = Omit<ChildEvents, "died" | "loaded"> & {
  /** These are charged with the death, and were removed from the pool. */
  died(how: string, ids: readonly number[]): void;
  /** These died together and are restarted, separated from each other. */
  parted(how: string, ids: readonly number[]): void;
};

export type ChildPoolOptions = ChildOptions & {
  maxProcesses: number;
  /** The operating system users that run triggers; null or left out = this process's own. */
  accounts?: Accounts | null;
  provenMs?: number;
};

export type ChildPool = {
  start(trigger: ClaimedTrigger, modulePath: string): void;
  cancel(id: number): void;
  pids(): number[];
  stop(): void;
};

type Job = { readonly trigger: ClaimedTrigger; readonly modulePath: string; readonly account: Account | null };

/** Triggers of different accounts never share a process. */
function kindOf({ modulePath, account }: Pick<Job, "modulePath" | "account">): string {
  return account === null ? modulePath : `${modulePath} ${account.uid}`;
}

/** Beyond `maxProcesses`, a module shares the process of its account with the fewest triggers, if there is one. */
export function createChildPool(options: ChildPoolOptions, on: PoolEvents): ChildPool {
  const { maxProcesses, provenMs = PROVEN_MS, accounts = null } = options;
  const jobs = new Map<number, Job>();
  /** The ordinary ones, by `kindOf`. */
  const byModule = new Map<string, TriggerChild>();
  /** With the time of their start, oldest first. */
  const suspects = new Map<TriggerChild, number>();
  /** All processes, including those without suspect status. */
  const living = new Set<TriggerChild>();
  const idleTimers = new Map<TriggerChild, NodeJS.Timeout>();
  /** Modules that killed the process that loaded them, and the one that tries again. */
  const killedLoading = new Map<string, TriggerChild | null>();
  let waiting: Job[][] = [];
  let pumpTimer: Timer | undefined;
  let isStopped = false;

  function startChild(account: Account | null): TriggerChild {
    const child = startTriggerChild(options, account, {
      ...on,
      end(id: number, end: TriggerEnd) {
        jobs.delete(id);
        on.end(id, end);
        watchIdle(child);
        pump();
      },
      loaded: (modulePath) => void killedLoading.delete(kindOf({ modulePath, account })),
      died(how, ids, unloaded) {
        forget(child);
        if (!isStopped) onDeath(how, ids, unloaded);
      },
    });
    living.add(child);
    return child;
  }

  function onDeath(how: string, ids: readonly number[], unloaded: readonly number[]): void {
    const charged = unloaded.length > 0 ? unloaded : ids.length === 1 ? ids : [];
    for (const id of unloaded) {
      const job = jobs.get(id);
      killedLoading.set(job === undefined ? "" : kindOf(job), null);
    }
    const apart = ids.filter((id) => !charged.includes(id)).flatMap((id) => jobs.get(id) ?? []);
    for (const id of charged) jobs.delete(id);
    const half = unloaded.length > 0 ? apart.length : Math.ceil(apart.length / 2);
    waiting.push(...[apart.slice(0, half), apart.slice(half)].filter((group) => group.length > 0));
    if (apart.length > 0) {
      on.parted(
        how,
        apart.map(({ trigger }) => trigger.id),
      );
    }
    on.died(how, charged);
    pump();
  }

  function pump(): void {
    pumpTimer?.cancel();
    while (waiting.length > 0 && !isStopped) {
      const waitMs = suspects.size < maxProcesses ? 0 : giveUpOldest();
      if (waitMs > 0) {
        pumpTimer = startTimer(waitMs, pump);
        return;
      }
      const group = waiting.shift() ?? [];
      const child = startChild(group[0]?.account ?? null);
      suspects.set(child, Date.now());
      for (const job of group) child.start(job.trigger, job.modulePath);
    }
  }

  /** Whether its slot is free, or how long it must still live. */
  function giveUpOldest(): number {
    const [oldest] = suspects;
    if (!oldest) return 0;
    const [child, startedAt] = oldest;
    const missingMs = startedAt + provenMs - Date.now();
    if (missingMs > 0) return missingMs;
    suspects.delete(child);
    for (const id of [...child.ids.keys()]) {
      child.cancel(id);
      const job = jobs.get(id);
      if (job) ordinaryChild(job).start(job.trigger, job.modulePath);
    }
    watchIdle(child);
    return 0;
  }

  function ordinaryChild(job: Job): TriggerChild {
    const known = byModule.get(kindOf(job));
    if (known) return known;
    const all = [...new Set(byModule.values())];
    const [fewest] = all.filter((child) => child.account?.uid === job.account?.uid).sort((a, b) => a.ids.size - b.ids.size);
    const child = fewest && all.length >= maxProcesses ? fewest : startChild(job.account);
    byModule.set(kindOf(job), child);
    return child;
  }

  function forget(child: TriggerChild): void {
    clearTimeout(idleTimers.get(child));
    idleTimers.delete(child);
    living.delete(child);
    suspects.delete(child);
    for (const [path, one] of byModule) if (one === child) byModule.delete(path);
    for (const [path, one] of killedLoading) if (one === child) killedLoading.set(path, null);
  }

  function watchIdle(child: TriggerChild): void {
    if (child.ids.size > 0) return;
    // A suspect's slot is for the waiting ones.
    suspects.delete(child);
    clearTimeout(idleTimers.get(child));
    const timer = setTimeout(() => {
      if (child.ids.size > 0) return;
      forget(child);
      child.kill();
    }, IDLE_MS);
    timer.unref();
    idleTimers.set(child, timer);
  }

  /** All triggers of a module that killed its process while loading are retried together: none of them is the sole cause. */
  function startAgain(job: Job): void {
    const trying = killedLoading.get(kindOf(job));
    if (trying === undefined) {
      waiting.push([job]);
      pump();
      return;
    }
    const child = trying ?? startChild(job.account);
    killedLoading.set(kindOf(job), child);
    child.start(job.trigger, job.modulePath);
  }

  return {
    start(trigger, modulePath) {
      const job = { trigger, modulePath, account: accounts && accountOf(trigger.task.dagId, accounts) };
      jobs.set(trigger.id, job);
      if (trigger.deaths > 0) startAgain(job);
      else ordinaryChild(job).start(trigger, modulePath);
    },
    cancel(id) {
      jobs.delete(id);
      waiting = waiting.map((group) => group.filter(({ trigger }) => trigger.id !== id)).filter((group) => group.length > 0);
      for (const child of living) {
        if (!child.ids.has(id)) continue;
        child.cancel(id);
        watchIdle(child);
      }
      pump();
    },
    pids: () => [...living].map((child) => child.pid),
    stop() {
      isStopped = true;
      pumpTimer?.cancel();
      for (const child of living) child.kill();
    },
  };
}
