import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { findPackageRoot } from "../../platform/index.ts";

const FRAME = /^ {4}at /;
/** A frame's location: `(file:///dags/a.ts:3:5)`, `(/dags/a.ts:3:5)`, or without parentheses. */
const PLACE = /\(?((?:file:\/\/|node:|\/|[A-Za-z]:\\)[^()]*?)(?::\d+)?(?::\d+)?\)?$/;

let ownFolders: readonly string[] | null = null;

/**
 * Reduces a stack to what its author needs: the frames of the DAG file and its packages. Baram's frames, and Node's around the
 * author's, are removed. A stack without any of the author's frames is returned unchanged.
 */
export function authorStack(stack: string): string {
  const lines = stack.split("\n");
  // Only the last lines: a multi-line message may contain lines that look like frames.
  const firstFrame = lines.findLastIndex((line) => !FRAME.test(line)) + 1;
  const frames = lines.slice(firstFrame).filter((line) => originOf(line) !== "baram");
  const from = frames.findIndex((line) => originOf(line) === "author");
  if (from === -1) return stack;
  const to = frames.findLastIndex((line) => originOf(line) === "author");
  return [...lines.slice(0, firstFrame), ...frames.slice(from, to + 1)].join("\n");
}

function originOf(line: string): "author" | "baram" | "node" {
  const place = FRAME.test(line) ? PLACE.exec(line)?.[1] : undefined;
  if (place === undefined || place.startsWith("node:")) return "node";
  ownFolders ??= ["dist", "src"].map((folder) => join(findPackageRoot(), folder) + sep);
  const path = place.startsWith("file://") ? fileURLToPath(place) : place;
  return ownFolders.some((folder) => path.startsWith(folder)) ? "baram" : "author";
}
