// Stores the results of files, one after another. The database decides who owns a DAG, since several
// dag-processors may save files with the same dagId at the same moment (ADR 0034). There are three answers besides "saved":
//
// - taken: another file owns the DAG and still defines it. This file fails and waits until the store reports that the DAG is free. There are
//   two exceptions. Files that were found by the same scan are ordered by path only, so the first one takes the DAG from the other. And
//   if this dag-processor does not have the owner's file, that file may have been renamed to this one, and the other dag-processors have not
//   scanned yet: saving is retried for the time of the threshold before the file fails.
// - left: a newer Baram saved the same inputs, so its result is kept, whether good or failed.
// - unsaved (thrown): the file is at fault, and gets an import error.

import { BaramError, type Clock, type Logger } from "../platform/index.ts";
import type { Build } from "./build.ts";
import type { DagFileBundle } from "./bundle-dag-file.ts";
import type { DagFileInputs, DagFileRef, DagFileStore, ImportErrorFacts } from "./contract.ts";
import { compareFiles, describeFile, type FileState } from "./file-states.ts";
import { DagFileError } from "./import-error.ts";
import type { LoadedDag } from "./load-dag-file.ts";

export type Loaded = { module: DagFileBundle; source: string; dags: LoadedDag[] };

export type ResultSaver = {
  /** Both set the state's outcome, and reject if the store fails. */
  saveGood(state: FileState, seen: DagFileInputs, loaded: Loaded): Promise<void>;
  saveError(state: FileState, seen: DagFileInputs, error: ImportErrorFacts): Promise<void>;
};

type Resources = {
  store: DagFileStore;
  clock: Clock;
  logger: Logger;
  /** undefined: this dag-processor does not have the file. */
  find(file: DagFileRef): FileState | undefined;
  /** Whether this dag-processor reads the bundle. */
  hasBundle(name: string): boolean;
  requeue(state: FileState): void;
  /** The result of the file is no longer needed. */
  isUnwanted(state: FileState): boolean;
};

export function createResultSaver(
  { store, clock, logger, find, hasBundle, requeue, isUnwanted }: Resources,
  { build, waitForOwnerMs }: { build: Build; waitForOwnerMs: number },
): ResultSaver {
  /** Files that wait for a DAG. If a file of this process releases a DAG, it is taken at once instead of after the next scan. */
  const waiting = new Set<FileState>();
  let lastSave: Promise<unknown> = Promise.resolve();

  function inTurn(state: FileState, save: () => Promise<void>): Promise<void> {
    const next = lastSave.then(() => (isUnwanted(state) ? undefined : save()));
    lastSave = next.catch(() => undefined);
    return next;
  }

  function lookAgain(state: FileState): void {
    state.outcome = "unknown";
    requeue(state);
  }

  async function saveError(state: FileState, seen: DagFileInputs, error: ImportErrorFacts, waitsFor: string | null = null) {
    const { bundleName, relativePath, isForced } = state;
    const fingerprint = JSON.stringify([seen, error]);
    // A broken import is retried at every scan; the same error is neither written nor logged again.
    const isNews = state.savedError !== fingerprint;
    if (isNews && !(await store.saveImportError({ bundleName, relativePath, ...seen, build, isForced, error, waitsFor })))
      return leave(state, seen);
    const outcome = waitsFor === null ? "failed" : "duplicate";
    Object.assign(state, { ...seen, outcome, waitsFor, failedAtMs: clock.now(), savedError: fingerprint, isForced: false });
    if (waitsFor === null) waiting.delete(state);
    else waiting.add(state);
    if (!isNews) return;
    logger.warn(
      { bundle: bundleName, file: relativePath, kind: error.kind, line: error.line, reason: error.message },
      "DAG file has an import error",
    );
  }

  /** The newer build's result for the file is unknown here, and that build is responsible for it. */
  function leave(state: FileState, seen: DagFileInputs): void {
    waiting.delete(state);
    Object.assign(state, { ...seen, outcome: "good", waitsFor: null, waitsSinceMs: null, savedError: null });
    logger.info(
      { bundle: state.bundleName, file: state.relativePath },
      "DAG file skipped: a newer Baram has saved the same inputs",
    );
  }

  async function saveTaken(state: FileState, seen: DagFileInputs, dagId: string, owner: DagFileRef): Promise<void> {
    if (hasBundle(owner.bundleName) && !find(owner)) {
      state.waitsSinceMs ??= clock.now();
      if (clock.now() - state.waitsSinceMs < waitForOwnerMs) {
        state.outcome = "unknown";
        return;
      }
    }
    const message = `DAG "${dagId}" of ${describeFile(state)} is already defined in ${describeFile(owner)}, which owns it; give this one another dagId, or take it out of ${owner.relativePath}`;
    const { error } = new DagFileError("duplicate_dag", message, { file: state.relativePath });
    await saveError(state, seen, error, dagId);
  }

  async function saveGood(state: FileState, seen: DagFileInputs, { module, source, dags }: Loaded): Promise<void> {
    const { bundleName, relativePath, isForced } = state;
    const takeFrom: FileState[] = [];
    const taken: string[] = [];
    for (;;) {
      const outcome = await store.saveDags({
        ...{ bundleName, relativePath, ...seen, build, isForced, source, dags, takeFrom },
        module: { hash: module.hash, code: module.code, externals: module.externals },
      });
      if (outcome.type === "left") return leave(state, seen);
      if (outcome.type === "taken") {
        const owner = find(outcome.owner);
        if (!owner || takeFrom.includes(owner) || !comesBefore(state, owner, outcome.dagId))
          return saveTaken(state, seen, outcome.dagId, outcome.owner);
        takeFrom.push(owner);
        taken.push(outcome.dagId);
        continue;
      }
      waiting.delete(state);
      const good = { outcome: "good", waitsFor: null, waitsSinceMs: null, savedError: null, isForced: false };
      const created = new Set([...state.created, ...outcome.created, ...taken]);
      Object.assign(state, { ...seen, ...good, dagCount: dags.length, created });
      logger.info({ bundle: bundleName, file: relativePath, dags: dags.length }, "DAG file loaded");
      for (const owner of takeFrom) lookAgain(owner);
      for (const one of waiting) if (one.waitsFor !== null && outcome.released.includes(one.waitsFor)) lookAgain(one);
      return;
    }
  }

  return {
    saveGood: (state, seen, loaded) =>
      inTurn(state, async () => {
        try {
          await saveGood(state, seen, loaded);
        } catch (error) {
          if (!(error instanceof BaramError) || error.code !== "dag_unsaved") throw error;
          await saveError(state, seen, new DagFileError("invalid_dag", error.message, { file: state.relativePath }).error);
        }
      }),
    saveError: (state, seen, error) => inTurn(state, () => saveError(state, seen, error)),
  };
}

/** Neither file has an older claim to the DAG: the same scan of this process found both files, and the DAG is new. */
function comesBefore(state: FileState, owner: FileState, dagId: string): boolean {
  return state.firstScan > 0 && state.firstScan === owner.firstScan && owner.created.has(dagId) && compareFiles(state, owner) < 0;
}
