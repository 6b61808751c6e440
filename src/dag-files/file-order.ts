import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { compareFiles, type FileState } from "./file-states.ts";

/** Order of the waiting files: Airflow's `file_parsing_sort_mode`. */
export type FileOrder = "modified_time" | "random_seeded_by_host" | "alphabetical";

/** In every order, files that failed last time come after the others: one of them may be the file that hangs. */
export function createFileOrder(order: FileOrder, host = hostname()): (a: FileState, b: FileState) => number {
  const places = new WeakMap<FileState, string>();
  // Several dag-processors on the same files start with different ones, each in an order that does not change.
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
