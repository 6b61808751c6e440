/** What a fault is, and the two ways most of them are run: under the load of a whole system, or on schedulers in this process. */
import { sleep } from "../../src/platform/index.ts";
import type { Expectation, Invariant } from "./checker/index.ts";
import { createRandom, type Random } from "./random.ts";
import { type RoleName, type System, type SystemOptions, type SystemVerdict, startSystem } from "./system.ts";
import { mixedLoad, type Workload } from "./workload.ts";

export type FaultReport = {
  /** How often the fault was really made. Zero fails the fault: it proved nothing. */
  fired: number;
  verdicts: SystemVerdict[];
  /** A number worth seeing: seconds to recovery, retries, refusals. */
  note?: string;
};

export type FaultContext = {
  readonly random: Random;
  /** The short form of `npm test`: less load, fewer blows, the same invariants. */
  readonly isShort: boolean;
  /** What must be done when the fault is over, however it ends: also when its time is up in the middle. */
  atEnd(work: () => Promise<void>): void;
};

export type Fault = {
  readonly number: number;
  readonly name: string;
  readonly injects: string;
  /** What it is aimed at; the checker looks at all of them all the same. */
  readonly invariants: readonly Invariant[];
  /** Part of the short form. */
  readonly short?: boolean;
  readonly timeoutSec?: number;
  run(context: FaultContext): Promise<FaultReport>;
};

export type Blows = {
  readonly system: System;
  /** Say that the fault was made. */
  fire(times?: number): void;
  /** False once the runs have ended or the time for faults is over. */
  goesOn(): Promise<boolean>;
  /** A pause between blows, cut short when it is over. */
  wait(lowMs: number, highMs: number): Promise<void>;
};

export type LoadOptions = {
  workload?: Workload;
  /** Tasks, about. */
  size?: number;
  runsOfEach?: number;
  /** For how long blows are dealt at most. */
  faultSec?: number;
  system?: Partial<Omit<SystemOptions, "random" | "workload">>;
  expect?: Partial<Expectation>;
  except?: readonly Invariant[];
};

/** Reasons that the death of a worker or of its supervisor leaves. */
export const WORKER_LOST = [/^RunnerDiedError/, /^WorkerLostError/, /^WorkerShutdownError/, /^ApiUnreachableError/];

/** For faults that outlast the lease of a try. */
export const SHORT_TRY_LEASE = { BARAM__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT: "4" };

/** Starts a system and its runs, deals the blows while they go on, waits for the end of all, and checks. */
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
    // An end that is told twice may still be under way when its run is over.
    await sleep(200);
    const verdicts = await system.check({ faultsEndedMs, recoverySec, ...options.expect }, options.except);
    const history = await system.history();
    return { fired, verdicts, note: `${history.trace.length} lines, ${history.pastTries.length} tries lost or failed` };
  } finally {
    await system.stop();
  }
}

/** One of a role that lives, by chance. */
export function pickRole(system: System, name: RoleName) {
  return system.random.pick(system.roles(name));
}

export function contextOf(fault: Fault, seed: number, rest: Omit<FaultContext, "random">): FaultContext {
  return { random: createRandom(seed).fork(fault.name), ...rest };
}
