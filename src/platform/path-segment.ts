import { createHash } from "node:crypto";

/** What a file's name may have on every file system that matters, in bytes of UTF-8. */
const SEGMENT_MAX_BYTES = 255;
const HASH_CHARS = 32;

/**
 * `name=id` as one part of a file's path or of a key in a store, whatever the id: `segment("task_id", "extract")` is `task_id=extract`.
 * Ids of the usual characters stand as they are. Others of ASCII are written as %XX, so that none is a separator; one too long for a
 * file's name is cut and ends in `@` and a hash of the whole id. `@` and `%` come from nowhere else, so two ids never share a segment.
 */
export function pathSegment(name: string, id: string | number): string {
  const whole = `${name}=${encode(String(id))}`;
  if (Buffer.byteLength(whole) <= SEGMENT_MAX_BYTES) return whole;
  const hash = createHash("sha256").update(String(id)).digest("hex").slice(0, HASH_CHARS);
  let head = "";
  let room = SEGMENT_MAX_BYTES - HASH_CHARS - 1;
  // By whole characters, and by whole %XX.
  for (const [part] of whole.matchAll(/%..|./gsu)) {
    room -= Buffer.byteLength(part);
    if (room < 0) break;
    head += part;
  }
  return `${head}@${hash}`;
}

function encode(id: string): string {
  // A lone half of a surrogate pair cannot be written: it becomes the replacement character.
  const written = Buffer.from(id).toString();
  return written.replaceAll(/[^A-Za-z0-9_.~:+-]/gu, (character) =>
    character > "\u007f" ? character : `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}
