/** What the triggerer works with. `src/main` makes the store of it from SQL, so that no role but the store's own room knows any. */
import type { JsonObject, RunnerCalls, TriggerEnd, TriggerTask } from "../contracts/index.ts";
import type { Clock, Logger, Metrics } from "../platform/index.ts";

/** A trigger that this triggerer has taken; `kwargs` in the clear. */
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
  /** false = another triggerer took this one for dead. */
  beatJob(jobId: number): Promise<boolean>;
  endJob(jobId: number): Promise<void>;
  /** Buries silent triggerers and frees what they ran; returns how many triggers. */
  freeTriggersOfTheDead(silentForSec: number): Promise<number>;
  claim(options: { jobId: number; capacity: number; limit: number; fairnessSec: number }): Promise<ClaimedTrigger[]>;
  /** What is this job's in the database, and what of it is not among `running`. */
  findOwn(jobId: number, running: readonly number[]): Promise<{ ids: number[]; missing: number[] }>;
  /** `ids` null = all of the job's. `deaths` 1 = the process that ran them died. */
  release(jobId: number, ids: readonly number[] | null, deaths: 0 | 1): Promise<void>;
  /** Lets the tasks go on, or ends them. Returns the ids of those that still waited. */
  fire(ends: readonly EndedTrigger[]): Promise<number[]>;
  /** Calls back on changes, and with null when some may have been missed. */
  listen(onNotify: (payload: string | null) => void): { close(): Promise<void> };
  /** Path of the module's file on this machine. */
  modulePath(hash: string): Promise<string>;
  readonly call: TriggerCaller;
};

export type LogLevel = "debug" | "info" | "warn" | "error";
export type TriggerLog = {
  write(level: LogLevel, message: string, facts?: JsonObject): void;
  /** Hides the text in all further lines. */
  hide(secret: string): void;
  mask(text: string): string;
  flush(): Promise<void>;
};

export type TriggererResources = {
  readonly store: TriggererStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** The log of a trigger's try. */
  openLog(path: string): TriggerLog;
  /** Tests hold races open here: called with a point's name, awaited. */
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
  /** After this long, a trigger that nobody's fair share covers is for anyone with room. */
  readonly fairnessSec: number;
  readonly maxProcesses: number;
  readonly blockedTimeoutSec: number;
  readonly maxDeaths: number;
  /** The compiled entry of the process for user code, and its environment. */
  readonly childEntry: string;
  readonly environment: Readonly<Record<string, string>>;
};

/** What a trigger may ask of the platform, whichever process it runs in. */
export const TRIGGER_METHODS = ["getConnection", "getVariable", "getTaskStates"] as const;
export type TriggerMethod = (typeof TRIGGER_METHODS)[number];
export type TriggerCalls = Pick<RunnerCalls, TriggerMethod>;
export type TriggerCaller = <M extends TriggerMethod>(
  method: M,
  params: TriggerCalls[M]["params"],
) => Promise<TriggerCalls[M]["result"]>;
