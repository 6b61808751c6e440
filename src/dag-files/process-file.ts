import { join } from "node:path";
import type { DagDefaults } from "../contracts/index.ts";
import { type Clock, type Metrics, toError } from "../platform/index.ts";
import type { Bundler } from "./bundler.ts";
import type { DagFileInputs, DagFileStore, ImportErrorFacts, ImportErrorKind } from "./contract.ts";
import type { Evaluator } from "./evaluator.ts";
import { type FileHasher, inputsToWatch, isAnyNewerThan } from "./file-hash.ts";
import { describeUnreadable, type FileReads, isAbsent, kindOfUnread } from "./file-reads.ts";
import type { FileState } from "./file-states.ts";
import { DagFileError } from "./import-error.ts";
import { loadBundledFile } from "./load-dag-file.ts";
import type { ResultSaver } from "./save-results.ts";

/** File systems may round modification times down. */
const CLOCK_MARGIN_MS = 20;

const BUNDLER_ENDED: readonly ImportErrorKind[] = ["timeout", "memory", "crash"];

/** Bundles, evaluates, validates and saves one file; the result is in the state's outcome. Rejects if the store fails. */
export type ProcessFile = (state: FileState, slot: ParsingSlot) => Promise<void>;

/** The processes that load one file at a time. */
export type ParsingSlot = { bundler: Bundler; evaluator: Evaluator };

type Resources = {
  store: DagFileStore;
  saver: ResultSaver;
  clock: Clock;
  metrics: Metrics;
  hasher: FileHasher;
  reads: FileReads;
  isUnwanted(state: FileState): boolean;
};

function countFault(metrics: Metrics, { relativePath }: FileState, { kind }: ImportErrorFacts): void {
  metrics.count("dag_file_refresh_error", { dag_file: relativePath });
  if (kind === "timeout") metrics.count("dag_processing.processor_timeouts", { dag_file: relativePath });
}

export function createFileProcessing(
  resources: Resources,
  options: { cacheDir: string; defaults: DagDefaults; importFolders: readonly string[] },
): ProcessFile {
  const { store, saver, clock, hasher, reads, metrics } = resources;

  return async (state, { bundler, evaluator }) => {
    const startedAtMs = Date.now();
    const root = await reads.realpath(state.bundle.path);
    const path = join(root, state.relativePath);
    if (state.isRefused) {
      const message = `${path} is a symbolic link that points outside of the DAG folder, or to nothing, and is not followed. Put the file itself there, or link to a file in the DAG folder`;
      const error = new DagFileError("unreadable", message, { file: state.relativePath });
      state.failedInBundler = false;
      countFault(metrics, state, error.error);
      await saver.saveError(state, { inputs: [], inputsHash: await hasher.hashInputs(root, []) }, error.error);
      return;
    }
    const read = await reads.read(path).then(
      (content) => ({ source: content.toString("utf8") }),
      (error: unknown) => ({ error }),
    );
    // Removed after the scan: the next scan notices it.
    if ("error" in read && isAbsent(read.error)) return;
    const see = async (files: readonly string[]): Promise<DagFileInputs> => {
      const inputs = inputsToWatch(root, files);
      const isStale = await isAnyNewerThan(startedAtMs - CLOCK_MARGIN_MS, root, inputs);
      // An empty hash never matches: if the file was written while it was read, it is loaded again at the next scan.
      return { inputs, inputsHash: isStale ? "" : await hasher.hashInputs(root, inputs) };
    };
    let seen = await see([path]);
    state.failedInBundler = true;
    try {
      if ("error" in read)
        throw new DagFileError(kindOfUnread(read.error), describeUnreadable(path, read.error), { file: state.relativePath });
      const bundle = await bundler.bundle({ path: state.relativePath, root, importFolders: options.importFolders });
      state.failedInBundler = false;
      seen = await see(bundle.inputs);
      const where = { root, relativePath: state.relativePath, cacheDir: options.cacheDir };
      const seeds = await store.planSeeds(state);
      const facts = { defaults: options.defaults, seeds, now: clock.now() };
      const dags = await loadBundledFile(bundle, where, evaluator, facts);
      await saver.saveGood(state, seen, { module: bundle, source: read.source, dags });
    } catch (error) {
      if (!(error instanceof DagFileError)) throw toError(error);
      if (resources.isUnwanted(state)) return;
      // Tried again at every scan, it would take its slot for the whole time limit each time.
      if (BUNDLER_ENDED.includes(error.error.kind)) state.failedInBundler = false;
      countFault(metrics, state, error.error);
      await saver.saveError(state, seen, error.error);
    }
  };
}
