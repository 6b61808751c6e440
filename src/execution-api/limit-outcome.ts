import {
  DURATION_MAX_SEC,
  DURATION_MAX_TEXT,
  INSTANT_RULE,
  isInstantInBounds,
  jsonTextFault,
  type Outcome,
  toStorable,
} from "../contracts/index.ts";

type Xcoms = Extract<Outcome, { state: "success" }>["xcoms"];

/**
 * Returns an outcome that can be stored. One that cannot becomes a failure of its own try: one statement finishes a whole batch, so
 * a single value that PostgreSQL refuses would keep all others from finishing.
 */
export function limitOutcome(
  outcome: Outcome,
  { xcomMaxBytes, maxMapLength }: { xcomMaxBytes: number; maxMapLength: number },
): Outcome {
  if (outcome.state === "up_for_reschedule") {
    if (isInstantInBounds(Date.parse(outcome.rescheduleDate))) return outcome;
    return unstorable(
      "RescheduleDateError",
      `The reschedule date is "${outcome.rescheduleDate}", but ${INSTANT_RULE}, as ISO 8601.`,
    );
  }
  if (outcome.state === "deferred") return limitDeferral(outcome, xcomMaxBytes);
  // The runner checks sizes too, with a better message; but a worker is not trusted to have done so.
  for (const { key, value } of outcome.xcoms) {
    const json = JSON.stringify(value);
    if (Buffer.byteLength(json) > xcomMaxBytes) {
      const limit = `${xcomMaxBytes} bytes ([xcom] max_size_bytes)`;
      const message = `XCom "${key}" is larger than ${limit}. Store the data outside and pass a reference.`;
      return unstorable("XComTooLargeError", message, outcome.state === "failed");
    }
    const fault = jsonTextFault(json);
    if (fault === null) continue;
    const message = `XCom "${key}" holds ${fault}. Remove it, or encode the text.`;
    return unstorable("XComValueError", message, outcome.state === "failed");
  }
  if (outcome.state === "success" && outcome.mapLength !== undefined && outcome.mapLength > maxMapLength) {
    return unstorable(
      "UnmappableLengthError",
      `The result has ${outcome.mapLength} elements to map over, more than ${maxMapLength} ([core] max_map_length).`,
    );
  }
  const xcoms = lastOfEachKey(outcome.xcoms);
  const { renderedMapIndex: name } = outcome;
  const renderedMapIndex = name === undefined ? undefined : toStorable(name);
  switch (outcome.state) {
    case "success":
      return { ...outcome, xcoms, renderedMapIndex };
    case "skipped":
      return { ...outcome, xcoms, renderedMapIndex, reason: toStorable(outcome.reason) };
    case "failed":
      return {
        ...outcome,
        xcoms,
        renderedMapIndex,
        error: {
          name: toStorable(outcome.error.name),
          message: toStorable(outcome.error.message),
          stack: outcome.error.stack && toStorable(outcome.error.stack),
        },
      };
  }
}

function limitDeferral(outcome: Extract<Outcome, { state: "deferred" }>, maxBytes: number): Outcome {
  const sizeBytes = Buffer.byteLength(JSON.stringify([outcome.triggerKwargs, outcome.nextKwargs]));
  if (sizeBytes > maxBytes) {
    const limit = `${maxBytes} bytes ([xcom] max_size_bytes)`;
    return unstorable(
      "DeferralTooLargeError",
      `What the task defers with has ${sizeBytes} bytes, more than ${limit}. Pass a reference.`,
    );
  }
  if (outcome.timeoutSec !== null && outcome.timeoutSec > DURATION_MAX_SEC) {
    return unstorable(
      "DeferralTimeoutError",
      `The timeout of the deferral is ${outcome.timeoutSec} s, more than ${DURATION_MAX_TEXT}. Leave it out to wait without a limit.`,
    );
  }
  return { ...outcome, classpath: toStorable(outcome.classpath), nextMethod: toStorable(outcome.nextMethod) };
}

/** `hasFailed`: it was also reported as failed. Then its runner has called onFailure; otherwise that callback is owed. */
export function unstorable(name: string, message: string, hasFailed = false): Outcome {
  const error = { name, message: toStorable(message), stack: null };
  return { state: "failed", retryable: false, owesCallback: !hasFailed, error, xcoms: [] };
}

/** For a key pushed twice the last value counts; the statement that stores them must get each key once. */
function lastOfEachKey(xcoms: Xcoms): Xcoms {
  return [...new Map(xcoms.map(({ key, value }) => [toStorable(key), { key: toStorable(key), value }])).values()];
}
