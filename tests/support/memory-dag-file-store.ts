import { join } from "node:path";
import {
  createDagProcessor,
  type DagFileStore,
  type DagProcessor,
  type DagProcessorOptions,
  type DagProcessorResources,
  type ImportErrorFacts,
  type KnownDagFile,
} from "../../src/dag-files/index.ts";
import { silentLogger, silentMetrics, systemClock } from "../../src/platform/index.ts";

/**
 * An in-memory `DagFileStore` that tests can inspect. All dag-processors on it count as one; the database's own tests cover how
 * several affect one another.
 */
export function createMemoryStore() {
  const files = new Map<string, KnownDagFile & { waitsFor: string | null; claims: string[] }>();
  const dags = new Map<string, { file: string; hash: string; isStale: boolean }>();
  const errors = new Map<string, ImportErrorFacts>();
  const saves: string[] = [];
  /** Files that the next scan must plan again. */
  const toPlan: string[] = [];
  const ownedBy = (file: string) => [...dags].filter(([, dag]) => dag.file === file);
  /** The file that keeps the DAG from being taken by another one. */
  const keeperOf = (dagId: string, file: string) => {
    const owner = dags.get(dagId)?.file;
    return owner !== undefined && owner !== file && files.get(owner)?.claims.includes(dagId) ? owner : null;
  };
  const store: DagFileStore = {
    knownFiles: async () => [...files.values()],
    filesToPlan: async () => toPlan.splice(0).map((relativePath) => ({ bundleName: "dags", relativePath })),
    planSeeds: async () => ({}),
    endListings: async () => {},
    async listFiles({ bundleName, files: present, gone }) {
      for (const file of gone) {
        files.delete(file);
        errors.delete(file);
        for (const [, dag] of ownedBy(file)) dag.isStale = true;
      }
      const isToLoad = (path: string) => {
        const file = files.get(path);
        if (!file) return true;
        return file.waitsFor === null
          ? !file.hasImportError && file.claims.some((id) => dags.get(id)?.file !== path || dags.get(id)?.isStale)
          : keeperOf(file.waitsFor, path) === null;
      };
      const toRef = (relativePath: string) => ({ bundleName, relativePath });
      return { forgotten: gone.map(toRef), toLoad: (present ?? []).filter(isToLoad).map(toRef) };
    },
    async saveDags({ dags: saved, takeFrom, ...save }) {
      const file = save.relativePath;
      const ids = saved.map(({ dag }) => dag.dagId);
      for (const dagId of ids) {
        const owner = keeperOf(dagId, file);
        if (owner !== null && !takeFrom.some((one) => one.relativePath === owner))
          return { type: "taken", dagId, owner: { bundleName: save.bundleName, relativePath: owner } };
      }
      saves.push(file);
      const created = ids.filter((id) => !dags.has(id));
      const released = ownedBy(file).flatMap(([id, dag]) => (dag.isStale || ids.includes(id) ? [] : [id]));
      for (const id of released) dags.set(id, { file, hash: "", isStale: true });
      for (const { dag, hash } of saved) dags.set(dag.dagId, { file, hash, isStale: false });
      errors.delete(file);
      files.set(file, { ...save, dagIds: ids, claims: ids, waitsFor: null, hasImportError: false });
      return { type: "saved", created, released };
    },
    async saveImportError({ error, ...save }) {
      const file = save.relativePath;
      saves.push(`${file}!`);
      errors.set(file, error);
      const claims = files.get(file)?.claims ?? [];
      files.set(file, { ...save, dagIds: ownedBy(file).map(([id]) => id), claims, hasImportError: true });
      return true;
    },
  };
  const active = () =>
    [...dags]
      .filter(([, dag]) => !dag.isStale)
      .map(([id, dag]) => `${id}@${dag.file}`)
      .sort();
  return { store, errors, saves, active, dags, toPlan };
}

/** A dag-processor for the DAG files of a folder, with its results in memory. */
export function createMemoryProcessor(
  { store }: ReturnType<typeof createMemoryStore>,
  folder: string,
  options: Partial<DagProcessorOptions> = {},
  resources: Partial<DagProcessorResources> = {},
): DagProcessor {
  return createDagProcessor(
    { metrics: silentMetrics, store, clock: systemClock, logger: silentLogger, ...resources },
    {
      bundles: [{ name: "dags", path: folder }],
      cacheDir: join(folder, ".cache"),
      environment: { PATH: "/usr/local/bin:/usr/bin:/bin" },
      ...options,
    },
  );
}

/** A DAG file with one DAG, which has no schedule. */
export const dagText = (dagId: string, tag = "") =>
  `import { dag } from "baram";\nexport default dag({ dagId: "${dagId}", schedule: null, tags: ["t${tag}"] }, () => {});\n`;
