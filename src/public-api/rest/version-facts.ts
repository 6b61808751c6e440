import { type Db, type VersionFacts, versionFacts } from "../../store/index.ts";

/** Facts about DAG versions for lists. They never change, so each is queried once; the least recently used are dropped. */
export type VersionFactsCache = {
  get(db: Db, versionIds: readonly (string | null)[]): Promise<ReadonlyMap<string, VersionFacts>>;
};

export function createVersionFactsCache(capacity = 5_000): VersionFactsCache {
  const known = new Map<string, VersionFacts>();
  return {
    async get(db, versionIds) {
      const wanted = new Set(versionIds.filter((id) => id !== null));
      const found = new Map<string, VersionFacts>();
      const missing: string[] = [];
      for (const id of wanted) {
        const facts = known.get(id);
        if (facts) found.set(id, facts);
        else missing.push(id);
      }
      if (missing.length > 0) for (const facts of await versionFacts(db, missing)) found.set(facts.versionId, facts);
      for (const [id, facts] of found) {
        known.delete(id);
        known.set(id, facts);
      }
      for (const oldest of known.keys()) {
        if (known.size <= capacity) break;
        known.delete(oldest);
      }
      return found;
    },
  };
}

/** The task's display name, or its id. */
export function displayNameOf(facts: VersionFacts | undefined, taskId: string): string {
  return facts?.tasks[taskId]?.displayName ?? taskId;
}
