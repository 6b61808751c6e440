import { BaramError } from "../../platform/index.ts";
import { parseSerializedDag } from "../../serialized/index.ts";
import { type Db, findVersion } from "../../store/index.ts";
import { buildGraph, type Graph } from "../core/graph.ts";

export type DagVersion = { versionId: string; dagId: string; moduleHash: string; graph: Graph };

/** DAG versions never change, so a cached version never expires; the least recently used ones are evicted. */
export type DagCache = { get(db: Db, versionId: string): Promise<DagVersion> };

export function createDagCache(capacity = 500): DagCache {
  const versions = new Map<string, DagVersion>();
  return {
    async get(db, versionId) {
      const known = versions.get(versionId);
      if (known) {
        versions.delete(versionId);
        versions.set(versionId, known);
        return known;
      }
      const row = await findVersion(db, versionId);
      if (!row) throw new BaramError("dag_version_not_found", `There is no DAG version ${versionId}.`, { versionId });
      const version = {
        versionId,
        dagId: row.dagId,
        moduleHash: row.moduleHash,
        graph: buildGraph(parseSerializedDag(row.data)),
      };
      versions.set(versionId, version);
      for (const oldest of versions.keys()) {
        if (versions.size <= capacity) break;
        versions.delete(oldest);
      }
      return version;
    },
  };
}

/** The version's graph, or null if its row cannot be read; callers do what does not need it. */
export async function readableGraph(cache: DagCache, db: Db, versionId: string): Promise<Graph | null> {
  try {
    return (await cache.get(db, versionId)).graph;
  } catch (error) {
    if (isPoisoned(error)) return null;
    throw error;
  }
}

/** The fault is in one DAG's or run's own data, not in the database: it must not stop the others. */
export function isPoisoned(error: unknown): error is BaramError {
  return error instanceof BaramError && !error.code.startsWith("database_");
}
