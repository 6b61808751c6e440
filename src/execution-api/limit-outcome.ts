import type { Outcome } from "../contracts/index.ts";

type Xcoms = Extract<Outcome, { state: "success" }>["xcoms"];

/**
 * An outcome as it can be stored. What cannot be fails the try and no other: one statement ends a whole batch, so a single
 * value that PostgreSQL refuses would keep all the others from ending, for as long as they are sent together.
 */
export function limitOutcome(
  outcome: Outcome,
  { xcomMaxBytes, maxMapLength }: { xcomMaxBytes: number; maxMapLength: number },
): Outcome {
  if (outcome.state === "up_for_reschedule") {
    if (!Number.isNaN(Date.parse(outcome.rescheduleDate))) return outcome;
    return unstorable("RescheduleDateError", `The reschedule date "${outcome.rescheduleDate}" is no date of ISO 8601.`);
  }
  if (outcome.state === "deferred") return limitDeferral(outcome, xcomMaxBytes);
  // The runner checks sizes too, and with a better message; a worker is not trusted to have done so.
  const tooLarge = outcome.xcoms.find((xcom) => Buffer.byteLength(JSON.stringify(xcom.value)) > xcomMaxBytes);
  if (tooLarge) {
    const limit = `${xcomMaxBytes} bytes ([xcom] max_size_bytes)`;
    return unstorable(
      "XComTooLargeError",
      `XCom "${tooLarge.key}" is larger than ${limit}. Store the data outside and pass a reference.`,
    );
  }
  if (outcome.state === "success" && outcome.mapLength !== undefined && outcome.mapLength > maxMapLength) {
    return unstorable(
      "UnmappableLengthError",
      `The result has ${outcome.mapLength} elements to map over, more than ${maxMapLength} ([core] max_map_length).`,
    );
  }
  const xcoms = lastOfEachKey(outcome.xcoms);
  const { renderedMapIndex: name } = outcome;
  const renderedMapIndex = name === undefined ? undefined : withoutNul(name);
  switch (outcome.state) {
    case "success":
      return { ...outcome, xcoms, renderedMapIndex };
    case "skipped":
      return { ...outcome, xcoms, renderedMapIndex, reason: withoutNul(outcome.reason) };
    case "failed":
      return {
        ...outcome,
        xcoms,
        renderedMapIndex,
        error: { ...outcome.error, name: withoutNul(outcome.error.name), message: withoutNul(outcome.error.message) },
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
  return { ...outcome, classpath: withoutNul(outcome.classpath), nextMethod: withoutNul(outcome.nextMethod) };
}

function unstorable(name: string, message: string): Outcome {
  return { state: "failed", retryable: false, error: { name, message: withoutNul(message), stack: null }, xcoms: [] };
}

/** A key pushed twice holds the last value; the statement that stores them takes each key once. */
function lastOfEachKey(xcoms: Xcoms): Xcoms {
  return [...new Map(xcoms.map(({ key, value }) => [withoutNul(key), { key: withoutNul(key), value }])).values()];
}

/** PostgreSQL's text cannot hold U+0000. */
function withoutNul(text: string): string {
  return text.replaceAll("\0", "");
}
