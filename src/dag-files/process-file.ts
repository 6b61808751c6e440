import { join } from "node:path";
import type { DagDefaults } from "../contracts/index.ts";
import { BaramError, type Clock, type Logger, type Metrics, toError } from "../platform/index.ts";
import { bundleDagFile, type DagFileBundle } from "./bundle-dag-file.ts";
import type { DagFileInputs, DagFileStore, ImportErrorFacts } from "./contract.ts";
import { createDagClaims } from "./dag-claims.ts";
import type { Evaluator } from "./evaluator.ts";
import { type FileHasher, inputsToWatch, isAnyNewerThan } from "./file-hash.ts";
import { describeUnreadable, type FileReads, isAbsent } from "./file-reads.ts";
import { compareFiles, describeFile, type FileState } from "./file-states.ts";
import { DagFileError } from "./import-error.ts";
import { type LoadedDag, loadBundledFile } from "./load-dag-file.ts";

/** File systems may round a write's time down. */
const CLOCK_MARGIN_MS = 20;

export type FileProcessing = {
  /** Bundles, evaluates, checks and saves one file; the state's outcome tells how it went. Rejects when the store fails. */
  processFile(state: FileState, evaluator: Evaluator): Promise<void>;
  /** Sets the DAGs that a file defined when it was last good, without looking at it. */
  claim(state: FileState, dagIds: readonly string[]): void;
};

type Resources = {
  store: DagFileStore;
  clock: Clock;
  logger: Logger;
  metrics: Metrics;
  hasher: FileHasher;
  reads: FileReads;
  requeue(state: FileState): void;
  isStopped(): boolean;
};

function countFault(metrics: Metrics, { relativePath }: FileState, { kind }: ImportErrorFacts): void {
  metrics.count("dag_file_refresh_error", { dag_file: relativePath });
  if (kind === "timeout") metrics.count("dag_processing.processor_timeouts", { dag_file: relativePath });
}

export function createFileProcessing(resources: Resources, options: { cacheDir: string; defaults: DagDefaults }): FileProcessing {
  const { store, clock, logger, hasher, reads, metrics } = resources;
  const claims = createDagClaims<FileState>(compareFiles);
  let lastSave: Promise<unknown> = Promise.resolve();

  /** Files whose right to a DAG may have changed: those that lost it become errors, those that got it heal. */
  function claim(state: FileState, dagIds: readonly string[]): void {
    for (const other of claims.claim(state, dagIds)) {
      const isLater = compareFiles(other, state) > 0;
      if (!isLater || (other.outcome !== "duplicate" && other.outcome !== "good")) continue;
      other.outcome = "unknown";
      resources.requeue(other);
    }
  }

  function inTurn(save: () => Promise<void>): Promise<void> {
    const next = lastSave.then(save);
    lastSave = next.catch(() => undefined);
    return next;
  }

  async function saveError(state: FileState, seen: DagFileInputs, error: ImportErrorFacts): Promise<void> {
    const { bundleName, relativePath } = state;
    const outcome = error.kind === "duplicate_dag" ? "duplicate" : "failed";
    const fingerprint = JSON.stringify([seen, error]);
    const isNews = state.savedError !== fingerprint;
    // A broken import is tried at every scan; the same answer is neither written nor logged again.
    if (isNews) await store.saveImportError({ bundleName, relativePath, ...seen, error });
    Object.assign(state, { ...seen, outcome, failedAtMs: clock.now(), savedError: fingerprint });
    if (!isNews) return;
    logger.warn(
      { bundle: bundleName, file: relativePath, kind: error.kind, line: error.line, reason: error.message },
      "DAG file has an import error",
    );
  }

  async function saveGood(state: FileState, seen: DagFileInputs, bundle: DagFileBundle, source: string, dags: LoadedDag[]) {
    claim(
      state,
      dags.map(({ dag }) => dag.dagId),
    );
    const taken = dags.flatMap(({ dag }) => {
      const owner = claims.ownerOf(dag.dagId);
      return owner && owner !== state ? [{ dagId: dag.dagId, owner }] : [];
    })[0];
    if (taken) {
      const message = `DAG "${taken.dagId}" of ${describeFile(state)} is already defined in ${describeFile(taken.owner)}; give one of them another dagId`;
      return saveError(state, seen, new DagFileError("duplicate_dag", message, { file: state.relativePath }).error);
    }
    const { bundleName, relativePath } = state;
    const module = { hash: bundle.hash, code: bundle.code, externals: bundle.externals };
    try {
      await store.saveDags({ bundleName, relativePath, ...seen, module, source, dags });
    } catch (error) {
      if (!(error instanceof BaramError) || error.code !== "dag_unsaved") throw error;
      return saveError(state, seen, new DagFileError("invalid_dag", error.message, { file: relativePath }).error);
    }
    Object.assign(state, { ...seen, outcome: "good", savedError: null, dagCount: dags.length });
    logger.info({ bundle: bundleName, file: relativePath, dags: dags.length }, "DAG file loaded");
  }

  /** A child that was killed because Baram stops is no fault of its file. */
  const isUnwanted = (state: FileState) => state.isGone || resources.isStopped();

  return {
    claim,
    async processFile(state, evaluator) {
      const startedAtMs = Date.now();
      const root = await reads.realpath(state.bundle.path);
      const path = join(root, state.relativePath);
      const read = await reads.read(path).then(
        (content) => ({ source: content.toString("utf8") }),
        (error: unknown) => ({ error }),
      );
      // Removed since the scan: the next one sees it.
      if ("error" in read && isAbsent(read.error)) return;
      const see = async (files: readonly string[]): Promise<DagFileInputs> => {
        const inputs = inputsToWatch(root, files);
        const isStale = await isAnyNewerThan(startedAtMs - CLOCK_MARGIN_MS, root, inputs);
        // An empty hash is never equal: written while it was read, the file is loaded again at the next scan.
        return { inputs, inputsHash: isStale ? "" : await hasher.hashInputs(root, inputs) };
      };
      let seen = await see([path]);
      state.failedInBundler = true;
      try {
        if ("error" in read)
          throw new DagFileError("unreadable", describeUnreadable(path, read.error), { file: state.relativePath });
        const bundle = await bundleDagFile(state.relativePath, root);
        state.failedInBundler = false;
        seen = await see(bundle.inputs);
        const where = { root, relativePath: state.relativePath, cacheDir: options.cacheDir };
        const seeds = await store.planSeeds(state);
        const facts = { defaults: options.defaults, seeds, now: clock.now() };
        const dags = await loadBundledFile(bundle, where, evaluator, facts);
        await inTurn(async () => (isUnwanted(state) ? undefined : saveGood(state, seen, bundle, read.source, dags)));
      } catch (error) {
        if (!(error instanceof DagFileError)) throw toError(error);
        if (!isUnwanted(state)) countFault(metrics, state, error.error);
        await inTurn(async () => (isUnwanted(state) ? undefined : saveError(state, seen, error.error)));
      }
    },
  };
}
