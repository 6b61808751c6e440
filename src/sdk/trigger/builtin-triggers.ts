import { BuiltinTrigger, type ExternalState, INSTANT_RULE, isInstantInBounds, type JsonValue } from "../../contracts/index.ts";
import { DagDefinitionError } from "../definition-error.ts";
import { checkOptionNames } from "../options/check-option-names.ts";
import { type DurationInput, durationToSeconds } from "../values/duration.ts";
import { Trigger } from "./trigger.ts";

// Triggers that the triggerer implements itself. This file has only their names and options; the work is done in
// `src/triggerer/builtin`.

/** Fires at an instant. The event is the instant. */
export class DateTimeTrigger extends Trigger<{ moment: string }> {
  static readonly classpath = BuiltinTrigger.DateTime;

  /** `moment`: a Date, or an ISO 8601 text with an offset. */
  constructor(options: { moment: Date | string }) {
    checkOptionNames("DateTimeTrigger", options, { names: ["moment"] });
    const { moment } = options;
    const at = typeof moment === "string" && !/(Z|[+-]\d\d:?\d\d)$/.test(moment) ? new Date(Number.NaN) : new Date(moment);
    if (Number.isNaN(at.getTime())) {
      throw new DagDefinitionError(
        "INVALID_INSTANT",
        `DateTimeTrigger: moment is ${String(moment)}: give a Date or an ISO 8601 instant with a zone`,
      );
    }
    if (!isInstantInBounds(at.getTime()))
      throw new DagDefinitionError("INVALID_INSTANT", `DateTimeTrigger: moment is ${at.toISOString()}, but ${INSTANT_RULE}`);
    super({ moment: at.toISOString() });
  }
}

/** Fires after a period that starts when the trigger is created. */
export class TimeDeltaTrigger extends DateTimeTrigger {
  constructor(options: { delta: DurationInput }) {
    checkOptionNames("TimeDeltaTrigger", options, { names: ["delta"] });
    super({ moment: new Date(Date.now() + durationToSeconds("TimeDeltaTrigger: delta", options.delta) * 1000) });
  }
}

type Polled = { pollInterval?: DurationInput };

function polledSec(trigger: string, pollInterval: DurationInput | undefined, fallback: DurationInput): number {
  // At least 0.1 s, so that one trigger cannot keep the triggerer busy.
  return Math.max(0.1, durationToSeconds(`${trigger}: pollInterval`, pollInterval ?? fallback));
}

/** Fires when a file exists in the triggerer's own file system. The event is `{ path }`. */
export class FileTrigger extends Trigger<object> {
  static readonly classpath = BuiltinTrigger.File;

  /** `path`: a file or folder, or a glob, as for `FileSensor`. `pollInterval`: default "5s". */
  constructor(options: { path: string; recursive?: boolean } & Polled) {
    checkOptionNames("FileTrigger", options, { names: ["path", "recursive", "pollInterval"] });
    const { path, recursive = false, pollInterval } = options;
    super({ path, recursive, pollIntervalSec: polledSec("FileTrigger", pollInterval, "5s") });
  }
}

export type ExternalTaskTriggerOptions = Polled & {
  dagId: string;
  runIds?: readonly string[];
  /** ISO 8601 instants. */
  logicalDates?: readonly string[];
  /** Neither tasks nor a group = the run itself. */
  taskIds?: readonly string[];
  taskGroupId?: string;
  allowedStates?: readonly ExternalState[];
  skippedStates?: readonly ExternalState[];
  failedStates?: readonly ExternalState[];
};

const EXTERNAL_TASK_NAMES = Object.keys({
  pollInterval: true,
  dagId: true,
  runIds: true,
  logicalDates: true,
  taskIds: true,
  taskGroupId: true,
  allowedStates: true,
  skippedStates: true,
  failedStates: true,
} satisfies Record<keyof ExternalTaskTriggerOptions, true>);

/**
 * Fires when runs, tasks or a group of another DAG have ended. The event is `{ kind: "done" | "skipped" | "failed", reason }`.
 */
export class ExternalTaskTrigger extends Trigger<object> {
  static readonly classpath = BuiltinTrigger.ExternalTask;

  constructor(given: ExternalTaskTriggerOptions) {
    checkOptionNames("ExternalTaskTrigger", given, { names: EXTERNAL_TASK_NAMES });
    const { pollInterval, ...options } = given;
    if (options.runIds === undefined && options.logicalDates === undefined) {
      throw new DagDefinitionError("TRIGGER_INVALID", "ExternalTaskTrigger: name the runs by runIds or by logicalDates");
    }
    super({ ...options, pollIntervalSec: polledSec("ExternalTaskTrigger", pollInterval, "5s") });
  }
}

export type HttpTriggerOptions = Polled & {
  /** An absolute URL or, with `connId`, a path below the connection's host. */
  url: string;
  /**
   * A connection, whose host, port, login, password and extra `headers` are used. They are kept only in the triggerer's memory.
   */
  connId?: string;
  method?: string;
  headers?: Readonly<Record<string, string>>;
  body?: string;
  /** With any other status the trigger keeps waiting. Default: any of 200 to 299. */
  expectedStatuses?: readonly number[];
  /** Statuses that fail the trigger immediately. */
  failedStatuses?: readonly number[];
  /**
   * A path in the JSON answer, "status.phase" or "items.0.id", and the values expected there. Default: any value but null and
   * false.
   */
  json?: { path: string; oneOf?: readonly JsonValue[]; failedWhen?: readonly JsonValue[] };
  /** Timeout of one request. Default "30s". */
  requestTimeout?: DurationInput;
};

const HTTP_NAMES = Object.keys({
  pollInterval: true,
  url: true,
  connId: true,
  method: true,
  headers: true,
  body: true,
  expectedStatuses: true,
  failedStatuses: true,
  json: true,
  requestTimeout: true,
} satisfies Record<keyof HttpTriggerOptions, true>);

/**
 * Fires when a URL answers as expected. The event is `{ status, body }`. `body` is the answer's JSON or, if it is not JSON, at
 * most 64 KB of its text.
 */
export class HttpTrigger extends Trigger<object> {
  static readonly classpath = BuiltinTrigger.Http;

  /** `pollInterval`: default "30s". */
  constructor(given: HttpTriggerOptions) {
    checkOptionNames("HttpTrigger", given, { names: HTTP_NAMES });
    const { pollInterval, requestTimeout, ...options } = given;
    super({
      ...options,
      pollIntervalSec: polledSec("HttpTrigger", pollInterval, "30s"),
      requestTimeoutSec: durationToSeconds("HttpTrigger: requestTimeout", requestTimeout ?? "30s"),
    });
  }
}
