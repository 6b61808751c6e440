/**
 * Messages between two processes over a pipe:
 *
 *   +----------------+------------------------------+
 *   | length, 4 byte | that many bytes of JSON      |
 *   | big endian     | (one message)                |
 *   +----------------+------------------------------+
 *
 * Frames, not lines: a length can be refused before its bytes are read into memory. A frame that is too long or is not
 * JSON closes the wire, since nothing after it can be trusted. Both ends have the same limit. A sender refuses a message above it, so
 * only that message fails and the wire stays open.
 *
 * User code can write to the descriptor of its process. The parent therefore checks every message with a schema, and closes the wire at
 * the first one that does not match. A message whose handler throws closes it, too: the fault stays with the process that sent it.
 */
import type { Readable, Writable } from "node:stream";
import { describeIssue, type SchemaIssues } from "./describe-issue.ts";
import { BaramError, toError } from "./errors.ts";

export const FRAME_MAX_BYTES = 64 * 1024 * 1024;
const FAULT_MAX_CHARS = 500;
/** Taken before user code runs in this process, which may replace the methods of JSON. */
const { parse: parseJson, stringify: toJson } = JSON;

export type WireEvents<In> = {
  /** Checks a message, and returns what of it is used. Throws if it does not match. Absent: this end trusts the other one. */
  check?(message: unknown): In;
  message(message: In): void;
  /** Called once, with the fault if there was one. */
  close(fault: Error | null): void;
};

export type Wire<Out> = {
  /** Resolves when the message was passed to the operating system. Rejects like `encodeFrame`, or when the wire is closed. */
  send(message: Out): Promise<void>;
};

/** Whether a message was refused before it was sent. The wire is still open; the caller must report the failure. */
export function isUnsendable(error: unknown): error is BaramError {
  return error instanceof BaramError && (error.code === "frame_too_long" || error.code === "frame_malformed");
}

/**
 * @throws BaramError `frame_too_long` with the size and the limit; `frame_malformed` if the message cannot be converted to JSON.
 */
export function encodeFrame(message: unknown, maxBytes = FRAME_MAX_BYTES): Buffer {
  const text = stringify(message, maxBytes);
  const length = Buffer.byteLength(text);
  if (length > maxBytes)
    throw new BaramError("frame_too_long", `a message of ${length} bytes cannot be sent; at most ${maxBytes} are allowed`, {
      length,
      maxBytes,
    });
  const frame = Buffer.allocUnsafe(4 + length);
  frame.writeUInt32BE(length, 0);
  frame.write(text, 4);
  return frame;
}

function stringify(message: unknown, maxBytes: number): string {
  try {
    return toJson(message);
  } catch (error) {
    if (!(error instanceof RangeError))
      throw new BaramError("frame_malformed", `a message cannot be written as JSON: ${toError(error).message}`, {}, error);
    // Longer than the maximum length of a string.
    throw new BaramError(
      "frame_too_long",
      `a message of more than 500 MB cannot be sent; at most ${maxBytes} bytes are allowed`,
      { maxBytes },
      error,
    );
  }
}

/** The part of a schema that is used here. */
type Schema<T> = { safeParse(value: unknown): { success: true; data: T } | { success: false; error: SchemaIssues } };

/** `check` of a wire, by a schema. */
export function checkBy<T>(schema: Schema<T>): (message: unknown) => T {
  return (message) => {
    const checked = schema.safeParse(message);
    if (checked.success) return checked.data;
    throw new Error(describeIssue(checked.error).slice(0, FAULT_MAX_CHARS));
  };
}

/** Sends messages of type Out over `socket` and calls `on.message` for each received one. */
export function openWire<In, Out>(socket: Readable & Writable, on: WireEvents<In>, maxBytes = FRAME_MAX_BYTES): Wire<Out> {
  let pending: Buffer[] = [];
  let size = 0;
  let closed = false;

  const close = (fault: Error | null) => {
    if (closed) return;
    closed = true;
    pending = [];
    socket.destroy();
    on.close(fault);
  };

  socket.on("data", (chunk: Buffer) => {
    pending.push(chunk);
    size += chunk.length;
    while (!closed && size >= 4) {
      const head = peek(4);
      const length = head.readUInt32BE(0);
      if (length > maxBytes) {
        close(
          new BaramError("frame_too_long", `a frame of ${length} bytes was announced; at most ${maxBytes} are allowed`, {
            length,
            maxBytes,
          }),
        );
        return;
      }
      if (size < 4 + length) return;
      const frame = take(4 + length).subarray(4);
      let message: unknown;
      try {
        message = parseJson(frame.toString("utf8"));
      } catch (error) {
        close(new BaramError("frame_malformed", "a frame is not JSON", { length }, error));
        return;
      }
      try {
        on.message(on.check ? on.check(message) : (message as In));
      } catch (error) {
        close(
          new BaramError("message_invalid", `a message does not match its schema: ${toError(error).message}`, { length }, error),
        );
        return;
      }
    }
  });
  socket.on("error", (error) => close(error));
  socket.on("end", () => close(null));
  socket.on("close", () => close(null));

  function peek(count: number): Buffer {
    if (pending.length > 1 && (pending[0]?.length ?? 0) < count) pending = [Buffer.concat(pending)];
    return pending[0] ?? Buffer.alloc(0);
  }

  function take(count: number): Buffer {
    const all = pending.length === 1 && pending[0] ? pending[0] : Buffer.concat(pending);
    size -= count;
    pending = size > 0 ? [all.subarray(count)] : [];
    return all.subarray(0, count);
  }

  return {
    async send(message) {
      if (closed) throw new BaramError("wire_closed", "the other process has closed the wire");
      const frame = encodeFrame(message, maxBytes);
      return new Promise((resolve, reject) => socket.write(frame, (error) => (error ? reject(error) : resolve())));
    },
  };
}
