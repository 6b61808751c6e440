import { join } from "node:path";
import type { Clock, Logger } from "../platform/index.ts";
import type { DagBundle, DagFileStore } from "./contract.ts";
import type { FileHasher, SeenFiles } from "./file-hash.ts";
import { describeUnreadable, type FileReads } from "./file-reads.ts";
import { compareFiles, type FileState, newFileState } from "./file-states.ts";
import { type FoundDagFiles, findDagFiles } from "./find-dag-files.ts";
import type { FileProcessing } from "./process-file.ts";

/** `unsettled`: a file was left for the next scan because it was written just now. */
export type Scan = { due: FileState[]; folders: string[]; unsettled: boolean };

export type Scanner = {
  /** Looks at every bundle. Rejects when the store fails; a bundle that cannot be read keeps its DAGs as they are. */
  scan(settleMs: number, force: boolean): Promise<Scan>;
  states(): FileState[];
};

type Resources = {
  store: DagFileStore;
  clock: Clock;
  logger: Logger;
  hasher: FileHasher;
  reads: FileReads;
  claims: Pick<FileProcessing, "claim">;
};

export function createScanner(resources: Resources, options: { bundles: DagBundle[]; errorRetryMs: number }): Scanner {
  const { store, clock, logger, hasher, reads, claims } = resources;
  const byBundle = options.bundles.map(() => new Map<string, FileState>());
  const hasSynced = new Set<number>();
  const refusedBefore = new Set<string>();
  const unreadableBefore = new Map<string, string>();
  const unreadBefore = options.bundles.map(() => new Map<string, string>());
  let hasLoaded = false;

  /** Takes over what an earlier process saved. A file with an import error is looked at again, as its claims are not stored. */
  async function loadKnown(): Promise<void> {
    if (hasLoaded) return;
    for (const known of await store.knownFiles(options.bundles.map((bundle) => bundle.name))) {
      const index = options.bundles.findIndex((bundle) => bundle.name === known.bundleName);
      const bundle = options.bundles[index];
      if (!bundle) continue;
      const state = newFileState(bundle, index, known.relativePath);
      const { inputs, inputsHash } = known;
      Object.assign(state, {
        inputs,
        inputsHash,
        outcome: known.hasImportError ? "unknown" : "good",
        dagCount: known.dagIds.length,
      });
      byBundle[index]?.set(known.relativePath, state);
      claims.claim(state, known.dagIds);
    }
    hasLoaded = true;
  }

  /** Files whose custom timetables must be asked for further runs, by bundle. */
  async function findToPlan(): Promise<ReadonlySet<string>> {
    const files = await store.filesToPlan(options.bundles.map((bundle) => bundle.name));
    return new Set(files.map(({ bundleName, relativePath }) => `${bundleName}:${relativePath}`));
  }

  async function scanBundle(
    bundle: DagBundle,
    index: number,
    everything: FoundDagFiles,
    settleMs: number,
    isForced: (state: FileState) => boolean,
  ): Promise<Scan> {
    const states = byBundle[index] ?? new Map<string, FileState>();
    const found = { ...everything, files: everything.files.filter((path) => !bundle.leaveOut?.includes(path)) };
    for (const path of found.refused.filter((refused) => !refusedBefore.has(`${bundle.name}:${refused}`))) {
      refusedBefore.add(`${bundle.name}:${path}`);
      logger.warn({ bundle: bundle.name, path }, "not followed: this symbolic link leads out of the DAG folder, or nowhere");
    }
    tellOfUnread(bundle, index, found);
    const mayBeThere = [...states.keys()].filter((file) => found.unread.some(({ path }) => isIn(file, path)));
    await dropMissing(bundle, index, [...found.files, ...mayBeThere]);
    const root = await reads.realpath(bundle.path);
    const seen: SeenFiles = new Map();
    const due: FileState[] = [];
    let unsettled = false;
    for (const relativePath of found.files) {
      const state = states.get(relativePath) ?? newFileState(bundle, index, relativePath);
      states.set(relativePath, state);
      if (!isForced(state) && !(await isDue(state, root, seen))) continue;
      // Only for the order, and for the time to settle: one that cannot be looked at is told of when it is read.
      state.mtimeMs = await reads.stat(join(root, relativePath)).then(
        (facts) => Number(facts.mtimeMs),
        () => 0,
      );
      if (settleMs > 0 && Math.abs(Date.now() - state.mtimeMs) < settleMs) unsettled = true;
      else due.push(state);
    }
    return { due, folders: found.folders, unsettled };
  }

  /** Once per reason when it goes, and once when it comes, not at each scan. */
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
      `the DAG folder: ${what}. DAGs that are known stay as they are, and it is looked for at every scan`,
    );
  }

  /** What is in a folder that cannot be read stays as it is known. Told once per reason, and once when it is over. */
  function tellOfUnread({ name, path }: DagBundle, index: number, { unread }: FoundDagFiles): void {
    const before = unreadBefore[index] ?? new Map<string, string>();
    const now = new Map(unread.map((one) => [one.path, one.reason]));
    for (const [unreadPath, reason] of now) {
      if (before.get(unreadPath) !== reason)
        logger.warn(
          { bundle: name, path: unreadPath },
          `${reason}. DAGs of files there stay as they are, and new files are not seen`,
        );
    }
    for (const seen of before.keys())
      if (!now.has(seen)) logger.warn({ bundle: name, path: seen }, `${join(path, seen)} can be looked at now, or is gone`);
    unreadBefore[index] = now;
  }

  async function isDue(state: FileState, root: string, seen: SeenFiles): Promise<boolean> {
    if (state.outcome === "unknown") return true;
    if (state.outcome === "failed" && (state.failedInBundler || clock.now() - state.failedAtMs > options.errorRetryMs))
      return true;
    return (await hasher.hashInputs(root, state.inputs, seen)) !== state.inputsHash;
  }

  async function dropMissing(bundle: DagBundle, index: number, files: string[]): Promise<void> {
    const present = new Set(files);
    const states = byBundle[index] ?? new Map<string, FileState>();
    const gone = [...states.values()].filter((state) => !present.has(state.relativePath));
    // At the first scan the store may know of files that this process does not.
    if (gone.length === 0 && hasSynced.has(index)) return;
    // Before the save: one under way must not bring the file's DAGs back.
    for (const state of gone) state.isGone = true;
    await store.deactivateMissing(bundle.name, files);
    hasSynced.add(index);
    for (const state of gone) {
      states.delete(state.relativePath);
      claims.claim(state, []);
      logger.info({ bundle: bundle.name, file: state.relativePath }, "DAG file is gone; its DAGs are stale");
    }
  }

  return {
    states: () => byBundle.flatMap((states) => [...states.values()]).sort(compareFiles),
    async scan(settleMs, force) {
      await loadKnown();
      const toPlan = await findToPlan();
      // One that failed has its own time for another try: its plan stays low meanwhile.
      const needsPlan = (state: FileState) => state.outcome === "good" && toPlan.has(`${state.bundleName}:${state.relativePath}`);
      const total: Scan = { due: [], folders: [], unsettled: false };
      for (const [index, bundle] of options.bundles.entries()) {
        const found = await findDagFiles(bundle.path, reads).catch((error: NodeJS.ErrnoException) => error);
        tellOfFolder(bundle, found instanceof Error ? found : null);
        if (found instanceof Error) continue;
        const scan = await scanBundle(bundle, index, found, settleMs, (state) => force || needsPlan(state));
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
