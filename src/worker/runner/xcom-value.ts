import { inspect } from "node:util";
import { cutText, type JsonValue, OUTCOME_XCOMS_MAX, XCOM_KEY_MAX } from "../../contracts/index.ts";
import { findJsonFault } from "../../sdk/runtime.ts";
import { XComValueError } from "./task-failure.ts";

/**
 * A value as an XCom may keep it: JSON without loss, at most `maxBytes` of UTF-8 when written.
 * @param what names the value in messages: "return value", `XCom "rows"`.
 * @throws XComValueError naming the place of the first bad value, or size, limit and remedy.
 */
export function toXComValue(what: string, value: unknown, maxBytes: number): JsonValue {
  const fault = findJsonFault(value);
  if (fault !== undefined) {
    const place = fault.path === "" ? what : `${what} at ${fault.path}`;
    throw new XComValueError(`${place} is ${fault.fault}. XComs must be JSON`, { what, path: fault.path });
  }
  const text = JSON.stringify(value);
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > maxBytes) {
    throw new XComValueError(
      `${what} has ${sizeBytes} bytes of JSON; an XCom may have ${maxBytes}. Write it to a file or an object store and return the path, or raise [xcom] max_size_bytes`,
      { what, sizeBytes, maxBytes },
    );
  }
  // Stores exactly what was measured: a copy, without undefined properties, that the task cannot change any more.
  return JSON.parse(text);
}

/**
 * A key as the API takes it. `what` begins the message: "an XCom's key", or what the key comes from. @throws XComValueError
 */
export function checkXComKey(what: string, key: unknown): asserts key is string {
  if (typeof key !== "string") throw new XComValueError(`${what} must be a text, and it is ${inspect(key).slice(0, 100)}`, {});
  if (key === "") throw new XComValueError(`${what} must not be empty`, {});
  if (key.length <= XCOM_KEY_MAX) return;
  throw new XComValueError(
    `${what} may have ${XCOM_KEY_MAX} characters, and "${cutText(key, 60)}" has ${key.length}: use a shorter key`,
    { length: key.length, max: XCOM_KEY_MAX },
  );
}

/** The keys of a result that become XComs of their own. @throws XComValueError */
export function checkOutputs(taskId: string, keys: readonly string[]): void {
  for (const key of keys)
    checkXComKey(`task ${taskId} has multipleOutputs, so each key of its result is an XCom's key: a key`, key);
  const max = OUTCOME_XCOMS_MAX - OWN_KEYS;
  if (keys.length <= max) return;
  throw new XComValueError(
    `task ${taskId} has multipleOutputs, and its result has ${keys.length} keys; ${max} are allowed. Return fewer, or leave multipleOutputs out`,
    { keys: keys.length, max },
  );
}

/** The result itself and a skip decision. */
const OWN_KEYS = 2;
