import { join, posix } from "node:path";
import type { DagBundle, DagFileRef } from "./contract.ts";

/**
 * What the dag-processor knows of one file. `outcome`: `unknown` = to be looked at whatever its hash says; `good`;
 * `failed` = has an import error; `duplicate` = has one because another file owns one of its DAGs (`waitsFor`).
 */
export type FileState = DagFileRef & {
  bundle: DagBundle;
  /** Position of the bundle in the options: the order in which files own a DAG. */
  bundleIndex: number;
  outcome: "unknown" | "good" | "failed" | "duplicate";
  inputs: string[];
  inputsHash: string;
  failedAtMs: number;
  /** Failed before it was evaluated: cheap to try again, and what it misses may lie outside its known inputs. */
  failedInBundler: boolean;
  /** The import error that the store holds, as text; null where there is none, or none of this process's. */
  savedError: string | null;
  /** The DAG that another file owns; null where it waits for none. */
  waitsFor: string | null;
  /** Since when it waits for a DAG whose owner this dag-processor does not have; null = it does not. */
  waitsSinceMs: number | null;
  /** DAGs of its last good version. */
  dagCount: number;
  /** DAGs that this process saved from this file and that had no owner ever before. */
  created: ReadonlySet<string>;
  /** The scan that found it first, from 1; 0 = it was known from the store. */
  firstScan: number;
  /** Found by a scan of this process: that it is missing is then news. */
  isSeen: boolean;
  /** To be saved also over what a newer Baram saved. */
  isForced: boolean;
  /** When it was last written, as the latest scan saw it; 0 = not looked at. */
  mtimeMs: number;
  /** When its latest load ended, and how long it took; null = not loaded by this process. */
  lastLoad: { endedAtMs: number; sec: number } | null;
  isQueued: boolean;
  isRunning: boolean;
  /** Changed again while it ran. */
  runAgain: boolean;
  isGone: boolean;
};

export function newFileState(bundle: DagBundle, bundleIndex: number, relativePath: string, firstScan = 0): FileState {
  return {
    bundle,
    bundleIndex,
    bundleName: bundle.name,
    relativePath,
    outcome: "unknown",
    inputs: [relativePath],
    inputsHash: "",
    failedAtMs: 0,
    failedInBundler: false,
    savedError: null,
    waitsFor: null,
    waitsSinceMs: null,
    dagCount: 0,
    created: new Set(),
    firstScan,
    isSeen: firstScan > 0,
    isForced: false,
    mtimeMs: 0,
    lastLoad: null,
    isQueued: false,
    isRunning: false,
    runAgain: false,
    isGone: false,
  };
}

/** By bundle, then by path in code point order: the same on every machine. */
export function compareFiles(a: FileState, b: FileState): number {
  if (a.bundleIndex !== b.bundleIndex) return a.bundleIndex - b.bundleIndex;
  return a.relativePath < b.relativePath ? -1 : a.relativePath > b.relativePath ? 1 : 0;
}

export function describeFile(state: DagFileRef): string {
  return `${state.relativePath} (bundle ${state.bundleName})`;
}

/** Folders of a file's own inputs, absolute: helpers may lie outside the bundle. */
export function inputFolders(state: FileState): string[] {
  return state.inputs
    .filter((input) => !input.includes("node_modules/"))
    .map((input) => join(state.bundle.path, posix.dirname(input)));
}
