import type { JsonValue } from "../../contracts/index.ts";
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
