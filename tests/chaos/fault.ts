/**
 * The definition of a fault, and the two ways in which most of them run: under the load of a whole system, or on schedulers in
 * this process.
 */
import { sleep } from "../../src/platform/index.ts";
import type { Expectation, Invariant } from "./checker/index.ts";
import { createRandom, type Random } from "./random.ts";
import { type RoleName, type System, type SystemOptions, type SystemVerdict, startSystem } from "./system.ts";
import { mixedLoad, type Workload } from "./workload.ts";

export type FaultReport = {
  /** How often the fault was really injected. Zero fails the test: it proved nothing. */
  fired: number;
  verdicts: SystemVerdict[];
  /** A number for the report: seconds to recovery, retries, refusals. */
  note?: string;
};

export type FaultContext = {
  readonly random: Random;
  /** The short form of `npm test`: less load, fewer injections, the same invariants. */
  readonly isShort: boolean;
  /** Registers clean-up for the end of the fault, also if it ends by a timeout. */
  atEnd(work: () => Promise<void>): void;
};

export type Fault = {
  readonly number: number;
  readonly name: string;
  readonly injects: string;
  /** The invariants that it aims at; the checker always checks all of them. */
  readonly invariants: readonly Invariant[];
  /** Whether it is part of the short form. */
  readonly short?: boolean;
  readonly timeoutSec?: number;
  run(context: FaultContext): Promise<FaultReport>;
};

export type Blows = {
  readonly system: System;
  /** Counts an injection of the fault. */
  fire(times?: number): void;
  /** false once the runs have ended or the time for faults is over. */
  goesOn(): Promise<boolean>;
  /** A pause between injections; it ends early when `goesOn` becomes false. */
  wait(lowMs: number, highMs: number): Promise<void>;
};

export type LoadOptions = {
  workload?: Workload;
  /** Approximate number of tasks. */
  size?: number;
  runsOfEach?: number;
  /** Maximum time during which faults are injected. */
  faultSec?: number;
  system?: Partial<Omit<SystemOptions, "random" | "workload">>;
  expect?: Partial<Expectation>;
  except?: readonly Invariant[];
};

/** Failure reasons after the death of a worker or its supervisor. */
export const WORKER_LOST = [/^RunnerDiedError/, /^WorkerLostError/, /^WorkerShutdownError/, /^ApiUnreachableError/];

/** For faults that last longer than the lease of a try. */
export const SHORT_TRY_LEASE = { BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT: "4" };

/** Starts a system and its runs, injects the fault while they go on, waits until all have ended, and checks. */
export async function underLoad(
  context: FaultContext,
  options: LoadOptions,
  deal: (blows: Blows) => Promise<void>,
): Promise<FaultReport> {
  const { random, isShort } = context;
  const workload = options.workload ?? mixedLoad(random, options.size ?? (isShort ? 80 : 160));
  const system = await startSystem({ random, workload, ...options.system });
  context.atEnd(() => system.stop());
  let fired = 0;
  try {
    for (let round = 0; round < (options.runsOfEach ?? (isShort ? 1 : 2)); round++)
      for (const { dagId, schedule } of workload.dags) if (schedule === null) await system.trigger(dagId);
    const until = Date.now() + (options.faultSec ?? (isShort ? 10 : 30)) * 1_000;
    await deal({
      system,
      fire: (times = 1) => {
        fired += times;
      },
      goesOn: async () => Date.now() < until && !(await system.isDone().catch(() => false)),
      async wait(lowMs, highMs) {
        const end = Math.min(until, Date.now() + random.between(lowMs, highMs));
        while (Date.now() < end && !(await system.isDone().catch(() => false)))
          await sleep(Math.min(100, Math.max(1, end - Date.now())));
      },
    });
    system.proxy.setMeddler(null);
    const faultsEndedMs = Date.now();
    const recoverySec = options.expect?.recoverySec ?? 40;
    await system.untilDone(recoverySec * 1_000 + 20_000);
    // A repeated report of an end may still be in progress when its run is over.
    await sleep(200);
    const verdicts = await system.check({ faultsEndedMs, recoverySec, ...options.expect }, options.except);
    const history = await system.history();
    return { fired, verdicts, note: `${history.trace.length} lines, ${history.pastTries.length} tries lost or failed` };
  } finally {
    await system.stop();
  }
}

/** A random live process of a role. */
export function pickRole(system: System, name: RoleName) {
  return system.random.pick(system.roles(name));
}

export function contextOf(fault: Fault, seed: number, rest: Omit<FaultContext, "random">): FaultContext {
  return { random: createRandom(seed).fork(fault.name), ...rest };
}
