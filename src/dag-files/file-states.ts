import { join, posix } from "node:path";
import type { DagBundle, DagFileRef } from "./contract.ts";

/**
 * The dag-processor's state of one file. `outcome`: `unknown` = it must be processed whatever its hash is; `good`; `failed` = it
 * has an import error; `duplicate` = it has one because another file owns one of its DAGs (`waitsFor`).
 */
export type FileState = DagFileRef & {
  bundle: DagBundle;
  /** Position of the bundle in the options; decides which file owns a DAG. */
  bundleIndex: number;
  outcome: "unknown" | "good" | "failed" | "duplicate";
  inputs: string[];
  inputsHash: string;
  failedAtMs: number;
  /** Failed before it was evaluated: a retry is cheap, and the missing file may not be one of its known inputs. */
  failedInBundler: boolean;
  /** A link that leads out of the DAG folder: nothing of its target is read, and it is an import error. */
  isRefused: boolean;
  /** The import error in the store, as text; null if there is none, or if this process did not save it. */
  savedError: string | null;
  /** The DAG that another file owns; null if the file waits for none. */
  waitsFor: string | null;
  /** Since when it has been waiting for a DAG whose owner this dag-processor does not have; null = it is not. */
  waitsSinceMs: number | null;
  /** Number of DAGs in its last good version. */
  dagCount: number;
  /** DAGs that this process saved from this file and that did not exist before. */
  created: ReadonlySet<string>;
  /** Number of the scan that found it first, from 1; 0 = known from the store. */
  firstScan: number;
  /** A scan of this process has found it: if it is missing later, it was deleted. */
  isSeen: boolean;
  /** Also saved over the result of a newer Baram. */
  isForced: boolean;
  /** Its modification time at the latest scan; 0 = not read yet. */
  mtimeMs: number;
  /** When its latest load ended, and how long it took; null = this process has not loaded it. */
  lastLoad: { endedAtMs: number; sec: number } | null;
  isQueued: boolean;
  isRunning: boolean;
  /** It changed again while it was processed. */
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
    isRefused: false,
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

/** By bundle, then by path in code point order, which is the same on every machine. */
export function compareFiles(a: FileState, b: FileState): number {
  if (a.bundleIndex !== b.bundleIndex) return a.bundleIndex - b.bundleIndex;
  return a.relativePath < b.relativePath ? -1 : a.relativePath > b.relativePath ? 1 : 0;
}

export function describeFile(state: DagFileRef): string {
  return `${state.relativePath} (bundle ${state.bundleName})`;
}

/** Absolute folders of a file's own inputs: helpers may be outside of the bundle. */
export function inputFolders(state: FileState): string[] {
  return state.inputs
    .filter((input) => !input.includes("node_modules/"))
    .map((input) => join(state.bundle.path, posix.dirname(input)));
}
