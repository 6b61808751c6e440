import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { compareFiles, type FileState } from "./file-states.ts";

/** Airflow's `file_parsing_sort_mode`: which of the files that wait goes first. */
export type FileOrder = "modified_time" | "random_seeded_by_host" | "alphabetical";

/** A file that failed last goes behind the others whatever the order: it may be the one that hangs. */
export function createFileOrder(order: FileOrder, host = hostname()): (a: FileState, b: FileState) => number {
  const places = new WeakMap<FileState, string>();
  // Several dag-processors on the same files begin at different ends, each with an order that stays.
  const placeOf = (state: FileState): string => {
    let place = places.get(state);
    if (place === undefined) {
      place = createHash("sha256").update(`${host}\n${state.bundleName}\n${state.relativePath}`).digest("hex");
      places.set(state, place);
    }
    return place;
  };
  const within = (a: FileState, b: FileState): number => {
    if (order === "modified_time" && a.mtimeMs !== b.mtimeMs) return b.mtimeMs - a.mtimeMs;
    if (order === "random_seeded_by_host") return placeOf(a) < placeOf(b) ? -1 : 1;
    return compareFiles(a, b);
  };
  return (a, b) => Number(a.outcome === "failed") - Number(b.outcome === "failed") || within(a, b);
}
