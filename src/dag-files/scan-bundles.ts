import { join } from "node:path";
import type { Clock, Logger } from "../platform/index.ts";
import { type Build, isNewerBuild } from "./build.ts";
import type { DagBundle, DagFileRef, DagFileStore } from "./contract.ts";
import type { FileHasher, SeenFiles } from "./file-hash.ts";
import { describeUnreadable, type FileReads } from "./file-reads.ts";
import { compareFiles, type FileState, newFileState } from "./file-states.ts";
import { type FoundDagFiles, findDagFiles } from "./find-dag-files.ts";
import { type FolderIdentities, wasDeleted } from "./folder-identities.ts";

/** `unsettled`: a file is left for the next scan because it was modified just now. */
export type Scan = { due: FileState[]; folders: string[]; unsettled: boolean };

export type Scanner = {
  /** Scans all bundles. Rejects if the store fails; the DAGs of a bundle that cannot be read do not change. */
  scan(settleMs: number, force: boolean): Promise<Scan>;
  states(): FileState[];
  find(file: DagFileRef): FileState | undefined;
  /** The listings of this dag-processor are no longer valid. */
  stop(): Promise<void>;
};

type Resources = {
  store: DagFileStore;
  clock: Clock;
  logger: Logger;
  hasher: FileHasher;
  reads: FileReads;
};

export function createScanner(
  resources: Resources,
  options: { bundles: DagBundle[]; errorRetryMs: number; build: Build },
): Scanner {
  const { store, clock, logger, hasher, reads } = resources;
  const byBundle = options.bundles.map(() => new Map<string, FileState>());
  const identities = options.bundles.map((): FolderIdentities => new Map());
  const refusedBefore = new Set<string>();
  const unreadableBefore = new Map<string, string>();
  const unreadBefore = options.bundles.map(() => new Map<string, string>());
  let hasLoaded = false;
  let scans = 0;

  /**
   * Loads the results of earlier processes. A file with an import error is processed again: the earlier process may have been at
   * fault.
   */
  async function loadKnown(): Promise<void> {
    if (hasLoaded) return;
    let newer = 0;
    for (const known of await store.knownFiles(options.bundles.map((bundle) => bundle.name))) {
      const index = options.bundles.findIndex((bundle) => bundle.name === known.bundleName);
      const bundle = options.bundles[index];
      if (!bundle) continue;
      const state = newFileState(bundle, index, known.relativePath, 0);
      const { inputs, inputsHash } = known;
      Object.assign(state, {
        inputs,
        inputsHash,
        outcome: known.hasImportError ? "unknown" : "good",
        dagCount: known.dagIds.length,
      });
      byBundle[index]?.set(known.relativePath, state);
      if (isNewerBuild(known.build, options.build)) newer++;
    }
    hasLoaded = true;
    if (newer === 0) return;
    logger.warn(
      { files: newer },
      `${newer} DAG file(s) were saved by a newer Baram and are not loaded here until they change; if that version is no longer used, run "baram dags reserialize"`,
    );
  }

  /** Files with custom timetables that need further planned runs, by bundle. */
  async function findToPlan(): Promise<ReadonlySet<string>> {
    const files = await store.filesToPlan(options.bundles.map((bundle) => bundle.name));
    return new Set(files.map(({ bundleName, relativePath }) => `${bundleName}:${relativePath}`));
  }

  async function scanBundle(
    bundle: DagBundle,
    index: number,
    everything: FoundDagFiles,
    settleMs: number,
    isMeant: (state: FileState) => boolean,
  ): Promise<Scan> {
    const states = byBundle[index] ?? new Map<string, FileState>();
    // A link that is not followed is a file with an import error: its DAGs would be missing without a word.
    const files = [...everything.files, ...everything.refusedFiles].filter((path) => !bundle.leaveOut?.includes(path)).sort();
    const found = { ...everything, files };
    const refusedFiles = new Set(everything.refusedFiles);
    for (const path of found.refused.filter((refused) => !refusedBefore.has(`${bundle.name}:${refused}`))) {
      refusedBefore.add(`${bundle.name}:${path}`);
      logger.warn(
        { bundle: bundle.name, path },
        "symbolic link is not followed: it points outside of the DAG folder, or to nothing",
      );
    }
    tellOfUnread(bundle, index, found);
    const mayBeThere = [...states.keys()].filter((file) => found.unread.some(({ path }) => isIn(file, path)));
    await tellStore(bundle, index, found, [...found.files, ...mayBeThere]);
    const root = await reads.realpath(bundle.path);
    const seen: SeenFiles = new Map();
    const due: FileState[] = [];
    let unsettled = false;
    for (const relativePath of found.files) {
      const state = states.get(relativePath) ?? newFileState(bundle, index, relativePath, scans);
      states.set(relativePath, state);
      state.isSeen = true;
      // It appeared again before its deletion was reported to the store.
      if (state.isGone) Object.assign(state, { isGone: false, outcome: "unknown" });
      const isRefused = refusedFiles.has(relativePath);
      if (state.isRefused !== isRefused) Object.assign(state, { isRefused, outcome: "unknown" });
      if (!isMeant(state) && !(await isDue(state, root, seen))) continue;
      // Only for the order and the time to settle: a file that cannot be accessed is reported when it is read.
      state.mtimeMs = await reads.stat(join(root, relativePath)).then(
        (facts) => Number(facts.mtimeMs),
        () => 0,
      );
      if (settleMs > 0 && Math.abs(Date.now() - state.mtimeMs) < settleMs) unsettled = true;
      else due.push(state);
    }
    return { due, folders: found.folders, unsettled };
  }

  /** Logged once per reason when the folder becomes unreadable, and once when it can be read again, not at each scan. */
  function tellOfFolder({ name, path }: DagBundle, unreadable: NodeJS.ErrnoException | null): void {
    if (unreadable === null) {
      if (unreadableBefore.delete(name)) logger.warn({ bundle: name, path }, "the DAG folder can be read now");
      return;
    }
    const what =
      unreadable.code === "ENOENT" ? `${path} does not exist` : describeUnreadable(unreadable.path ?? path, unreadable);
    if (unreadableBefore.get(name) === what) return;
    unreadableBefore.set(name, what);
    logger.warn(
      { bundle: name, path },
      `the DAG folder ${what}. Its DAGs stay as they are, and every scan tries to read it again`,
    );
  }

  /** Files in a folder that cannot be read keep their state. Logged once per reason, and once when it is over. */
  function tellOfUnread({ name, path }: DagBundle, index: number, { unread }: FoundDagFiles): void {
    const before = unreadBefore[index] ?? new Map<string, string>();
    const now = new Map(unread.map((one) => [one.path, one.reason]));
    for (const [unreadPath, reason] of now) {
      if (before.get(unreadPath) !== reason)
        logger.warn(
          { bundle: name, path: unreadPath },
          `${reason}. DAGs of files there stay as they are, and new files are not found`,
        );
    }
    for (const seen of before.keys())
      if (!now.has(seen)) logger.warn({ bundle: name, path: seen }, `${join(path, seen)} can be read now, or no longer exists`);
    unreadBefore[index] = now;
  }

  async function isDue(state: FileState, root: string, seen: SeenFiles): Promise<boolean> {
    if (state.outcome === "unknown") return true;
    if (state.outcome === "failed" && (state.failedInBundler || clock.now() - state.failedAtMs > options.errorRetryMs))
      return true;
    return (await hasher.hashInputs(root, state.inputs, seen)) !== state.inputsHash;
  }

  /**
   * Reports the existing files to the store, and receives which of them must be loaded whatever this process knows about them.
   */
  async function tellStore(bundle: DagBundle, index: number, found: FoundDagFiles, files: string[]): Promise<void> {
    const present = new Set(files);
    const states = byBundle[index] ?? new Map<string, FileState>();
    const before = identities[index] ?? new Map();
    const missing = [...states.values()].filter((state) => !present.has(state.relativePath));
    // Before the save, so that another save in progress does not bring the file's DAGs back.
    for (const state of missing) state.isGone = true;
    const gone = missing.filter(({ isSeen, relativePath }) => isSeen && wasDeleted(relativePath, before, found.identities));
    const listing = { bundleName: bundle.name, files, gone: gone.map((state) => state.relativePath) };
    const { toLoad, forgotten } = await store.listFiles(listing, options.build);
    // For folders that could not be read, the previous identities remain valid.
    const unseen = [...before].filter(([folder]) => found.unread.some(({ path }) => isIn(folder, path)));
    identities[index] = new Map([...unseen, ...found.identities]);
    for (const state of missing) states.delete(state.relativePath);
    for (const { bundleName, relativePath } of forgotten)
      logger.info({ bundle: bundleName, file: relativePath }, "DAG file is gone; its DAGs are stale");
    const isForgotten = new Set(forgotten.flatMap((file) => (file.bundleName === bundle.name ? [file.relativePath] : [])));
    for (const relativePath of listing.gone.filter((path) => !isForgotten.has(path)))
      logger.info(
        { bundle: bundle.name, file: relativePath },
        "DAG file is gone here; another dag-processor has it, or it was never saved",
      );
    if (missing.length > gone.length)
      logger.warn(
        { bundle: bundle.name, path: bundle.path, files: missing.length - gone.length },
        "known DAG files are missing in this folder, but their deletion was not seen; their DAGs become stale after no dag-processor has had them for [dag_processor] stale_dag_threshold",
      );
    for (const { relativePath } of toLoad) {
      const state = states.get(relativePath);
      // A file in progress is saved when its processing ends.
      if (!state || state.isQueued || state.isRunning) continue;
      state.outcome = "unknown";
      state.savedError = null;
    }
  }

  return {
    states: () => byBundle.flatMap((states) => [...states.values()]).sort(compareFiles),
    find: ({ bundleName, relativePath }) =>
      byBundle[options.bundles.findIndex((bundle) => bundle.name === bundleName)]?.get(relativePath),
    async stop() {
      if (scans > 0) await store.endListings().catch(() => undefined);
    },
    async scan(settleMs, force) {
      await loadKnown();
      scans++;
      const toPlan = await findToPlan();
      // A failed file has its own retry time: its plan is not extended until then.
      const needsPlan = (state: FileState) => state.outcome === "good" && toPlan.has(`${state.bundleName}:${state.relativePath}`);
      const total: Scan = { due: [], folders: [], unsettled: false };
      for (const [index, bundle] of options.bundles.entries()) {
        const found = await findDagFiles(bundle.path, reads).catch((error: NodeJS.ErrnoException) => error);
        tellOfFolder(bundle, found instanceof Error ? found : null);
        if (found instanceof Error) {
          await store.listFiles({ bundleName: bundle.name, files: null, gone: [] }, options.build);
          continue;
        }
        const scan = await scanBundle(bundle, index, found, settleMs, (state) => force || needsPlan(state));
        if (force) for (const state of scan.due) state.isForced = true;
        total.due.push(...scan.due);
        total.folders.push(...scan.folders);
        total.unsettled ||= scan.unsettled;
      }
      return total;
    },
  };
}

function isIn(file: string, path: string): boolean {
  return file === path || file.startsWith(`${path}/`);
}
