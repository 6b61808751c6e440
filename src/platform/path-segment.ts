import { createHash } from "node:crypto";

/** Maximum length of a file name on all common file systems, in bytes of UTF-8. */
const SEGMENT_MAX_BYTES = 255;
const HASH_CHARS = 32;

/**
 * `name=id` as one segment of a file path or of a key in a store, for any id: `pathSegment("task_id", "extract")` is
 * `task_id=extract`. Ids of the usual characters are unchanged. Other ASCII characters are written as %XX, so that none acts as a
 * separator. An id that is too long for a file name is cut and ends in `@` and a hash of the whole id. No other segment contains
 * `@`, and `%` occurs only in %XX, so two ids never share a segment.
 */
export function pathSegment(name: string, id: string | number): string {
  const whole = `${name}=${encode(String(id))}`;
  if (Buffer.byteLength(whole) <= SEGMENT_MAX_BYTES) return whole;
  const hash = createHash("sha256").update(String(id)).digest("hex").slice(0, HASH_CHARS);
  let head = "";
  let room = SEGMENT_MAX_BYTES - HASH_CHARS - 1;
  // Cuts only between characters, and never inside a %XX.
  for (const [part] of whole.matchAll(/%..|./gsu)) {
    room -= Buffer.byteLength(part);
    if (room < 0) break;
    head += part;
  }
  return `${head}@${hash}`;
}

function encode(id: string): string {
  // A lone surrogate cannot be encoded: it becomes the replacement character.
  const written = Buffer.from(id).toString();
  return written.replaceAll(/[^A-Za-z0-9_.~:+-]/gu, (character) =>
    character > "\u007f" ? character : `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}
