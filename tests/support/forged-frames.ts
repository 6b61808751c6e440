/** Frames that user code writes to the descriptor of its process, as an attack does. */
import fc from "fast-check";

export function frameOf(body: string | Uint8Array, length?: number): Buffer {
  const bytes = Buffer.from(body as string);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(length ?? bytes.length);
  return Buffer.concat([head, bytes]);
}

export const messageFrame = (message: unknown): Buffer => frameOf(JSON.stringify(message));

/** JSON nested this deep is read by JSON.parse, and overflows the stack of whoever walks it naively. */
export const deepFrame = (before: string, after: string, levels = 40_000): Buffer =>
  frameOf(`${before}${"[".repeat(levels)}${"]".repeat(levels)}${after}`);

/** A message of `types`, with fields that are right, wrong, missing or added, and values of any kind. */
function forgedMessage(types: readonly string[]): fc.Arbitrary<unknown> {
  const odd = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom<unknown>(null, -1, 0, 1, 1e308, "", "x".repeat(2_000), {}, [], true, "__proto__"),
    fc.record({
      state: fc.constantFrom("success", "failed", "skipped", "deferred", "up_for_reschedule", "odd"),
      xcoms: fc.jsonValue(),
    }),
    fc.record({ kind: fc.constantFrom("event", "failed", "task", "odd"), payload: fc.jsonValue(), message: fc.jsonValue() }),
  );
  const names = ["level", "message", "facts", "call", "id", "method", "params", "outcome", "end", "limitSec", "endsProcess"];
  const more = [
    "spawnedSince",
    "rssBytes",
    "spent",
    "reason",
    "modulePath",
    "blockedMs",
    "dags",
    "plans",
    "error",
    "code",
    "stack",
  ];
  return fc
    .tuple(fc.constantFrom(...types, "odd"), fc.dictionary(fc.constantFrom(...names, ...more), odd, { maxKeys: 8 }))
    .map(([type, fields]) => ({ type, ...fields }));
}

/** What an attacker writes: random bytes, frames of any JSON, and messages that almost match. */
export function forgedBytes(types: readonly string[]): fc.Arbitrary<Buffer> {
  return fc
    .array(
      fc.oneof(
        { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
        { weight: 1, arbitrary: fc.uint8Array({ maxLength: 50 }).map((bytes) => frameOf(bytes)) },
        { weight: 2, arbitrary: fc.jsonValue().map(messageFrame) },
        { weight: 6, arbitrary: forgedMessage(types).map(messageFrame) },
      ),
      { minLength: 1, maxLength: 6 },
    )
    .map((frames) => Buffer.concat(frames));
}
