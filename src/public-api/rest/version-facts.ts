import { type Db, isValueFault, type VersionFacts, versionFacts } from "../../store/index.ts";

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
      if (missing.length > 0) for (const facts of await readFacts(db, missing)) found.set(facts.versionId, facts);
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

/**
 * A version whose data PostgreSQL cannot read as the JSON of a DAG is left out, and shown without facts: otherwise it would hide all
 * others of the list. Which one it is, the error does not say.
 */
async function readFacts(db: Db, versionIds: readonly string[]): Promise<VersionFacts[]> {
  try {
    return await versionFacts(db, versionIds);
  } catch (error) {
    if (!isValueFault(error)) throw error;
    if (versionIds.length === 1) return [];
    const middle = versionIds.length >> 1;
    return [...(await readFacts(db, versionIds.slice(0, middle))), ...(await readFacts(db, versionIds.slice(middle)))];
  }
}

/** As shown: a task's display name, else its id. */
export function displayNameOf(facts: VersionFacts | undefined, taskId: string): string {
  return facts?.tasks[taskId]?.displayName ?? taskId;
}
