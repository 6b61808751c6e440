/** The triggerer's dependencies. `src/main` implements the store with SQL, so that this room needs none. */
import type { JsonObject, LogLevel, LogRecord, RunnerCalls, TriggerEnd, TriggerTask } from "../contracts/index.ts";
import type { Accounts, Clock, Logger, Masker, Metrics } from "../platform/index.ts";

/** A trigger that this triggerer has claimed; `kwargs` decrypted. */
export type ClaimedTrigger = {
  readonly id: number;
  readonly classpath: string;
  /** null = built in. */
  readonly moduleHash: string | null;
  readonly kwargs: JsonObject;
  /** How often the process that ran it died. */
  readonly deaths: number;
  /** The try that waits. */
  readonly tryId: string;
  readonly task: TriggerTask;
  /** Path of the try's log below the log folder. */
  readonly logPath: string;
};

export type EndedTrigger = { readonly id: number; readonly tryId: string; readonly end: TriggerEnd };

export type TriggererStore = {
  startJob(): Promise<number>;
  /** false = another triggerer declared this one dead. */
  beatJob(jobId: number): Promise<boolean>;
  endJob(jobId: number): Promise<void>;
  /** Declares silent triggerers dead and frees their triggers; returns how many. */
  freeTriggersOfTheDead(silentForSec: number): Promise<number>;
  claim(options: { jobId: number; capacity: number; limit: number; fairnessSec: number }): Promise<ClaimedTrigger[]>;
  /** The job's triggers in the database, and which of them are not in `running`. */
  findOwn(jobId: number, running: readonly number[]): Promise<{ ids: number[]; missing: number[] }>;
  /** `ids` null = all of the job's. `deaths` 1 = the process that ran them died. */
  release(jobId: number, ids: readonly number[] | null, deaths: 0 | 1): Promise<void>;
  /** Resumes the tasks, or finishes them. Returns the ids of those that were still waiting. */
  fire(ends: readonly EndedTrigger[]): Promise<number[]>;
  /** Calls back on changes, and with null when some may have been missed. */
  listen(onNotify: (payload: string | null) => void): { close(): Promise<void> };
  /** Path of the module's file on this machine. */
  modulePath(hash: string): Promise<string>;
  readonly call: StoreCaller;
};

export type TriggerLog = {
  /** A line of the platform's own. */
  write(level: LogLevel, message: string): void;
  /** A line of the trigger. */
  writeUser(record: LogRecord): void;
  /** One for all triggers of a triggerer: they share processes, and those keep what a trigger has read. */
  readonly masker: Masker;
  flush(): Promise<void>;
};

export type TriggererResources = {
  readonly store: TriggererStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The log of a trigger's try. */
  openLog(path: string): TriggerLog;
  /** Named points at which tests hold a race open; awaited. */
  readonly pause: (point: PausePoint) => Promise<void>;
};

/** Named points at which a test can stop a triggerer. */
export type PausePoint = "after-claim" | "before-fire";

export type TriggererOptions = {
  readonly capacity: number;
  readonly heartbeatSec: number;
  readonly healthThresholdSec: number;
  readonly selectPerLoop: number;
  /** Longest sleep when nothing wakes the triggerer. */
  readonly idleSleepSec: number;
  /** After this time a trigger beyond every triggerer's share may be taken by any with capacity. */
  readonly fairnessSec: number;
  readonly maxProcesses: number;
  readonly blockedTimeoutSec: number;
  readonly maxDeaths: number;
  /** The operating system users that run triggers of DAG files; null or left out = this process's own. */
  readonly accounts?: Accounts | null;
  /** The compiled entry of the process for user code, and its environment. */
  readonly childEntry: string;
  readonly environment: Readonly<Record<string, string>>;
};

/** The calls that a trigger may make, whichever process it runs in. */
export const TRIGGER_METHODS = ["getConnection", "getVariable", "getTaskStates", "maskSecret"] as const;
export type TriggerMethod = (typeof TRIGGER_METHODS)[number];
export type TriggerCalls = Pick<RunnerCalls, TriggerMethod>;
/** The calls that the store answers; `maskSecret` is for the triggerer itself. */
export type StoreCaller = <M extends Exclude<TriggerMethod, "maskSecret">>(
  method: M,
  params: TriggerCalls[M]["params"],
) => Promise<TriggerCalls[M]["result"]>;
export type TriggerCaller = <M extends TriggerMethod>(
  method: M,
  params: TriggerCalls[M]["params"],
) => Promise<TriggerCalls[M]["result"]>;
