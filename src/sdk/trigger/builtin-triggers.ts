import { BuiltinTrigger, type ExternalState, INSTANT_RULE, isInstantInBounds, type JsonValue } from "../../contracts/index.ts";
import { DagDefinitionError } from "../definition-error.ts";
import { checkOptionNames } from "../options/check-option-names.ts";
import { type DurationInput, durationToSeconds } from "../values/duration.ts";
import { Trigger } from "./trigger.ts";

// What the triggerer runs itself. Here are only the names and options; `src/triggerer/builtin` does the work.

/** Fires at an instant; the event is the instant. */
export class DateTimeTrigger extends Trigger<{ moment: string }> {
  static readonly classpath = BuiltinTrigger.DateTime;

  /** `moment`: a Date, or an ISO 8601 text with a zone. */
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

/** Fires some time after it was made. */
export class TimeDeltaTrigger extends DateTimeTrigger {
  constructor(options: { delta: DurationInput }) {
    checkOptionNames("TimeDeltaTrigger", options, { names: ["delta"] });
    super({ moment: new Date(Date.now() + durationToSeconds("TimeDeltaTrigger: delta", options.delta) * 1000) });
  }
}

type Polled = { pollInterval?: DurationInput };

function polledSec(trigger: string, pollInterval: DurationInput | undefined, fallback: DurationInput): number {
  // Not below 0.1 s: one trigger must not keep the triggerer busy.
  return Math.max(0.1, durationToSeconds(`${trigger}: pollInterval`, pollInterval ?? fallback));
}

/** Fires when a file is there; looks at the triggerer's own file system. The event is `{ path }`. */
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
  /** None, and no group = the run itself. */
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

/** Fires when runs, tasks or a group of another DAG have come to an end. The event is `{ kind: "done" | "skipped" | "failed", reason }`. */
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
  /** An absolute URL, or with `connId` a path below the connection's host. */
  url: string;
  /** A connection whose host, port, login, password and extra `headers` are used. They never leave the triggerer's memory. */
  connId?: string;
  method?: string;
  headers?: Readonly<Record<string, string>>;
  body?: string;
  /** Answers with another status are waited over. Default: any of 200 to 299. */
  expectedStatuses?: readonly number[];
  /** Answers that fail the trigger at once. */
  failedStatuses?: readonly number[];
  /** A place in the JSON answer, "status.phase" or "items.0.id", and what must stand there. Default: anything but null and false. */
  json?: { path: string; oneOf?: readonly JsonValue[]; failedWhen?: readonly JsonValue[] };
  /** How long one request may take. Default "30s". */
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

/** Fires when a URL answers as expected. The event is `{ status, body }`, `body` being JSON where the answer is, else at most 64 KB of text. */
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
