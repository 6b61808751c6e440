/**
 * Which file may define which DAG. Every file claims the dagIds of its last good evaluation; of several claimants the first
 * in the files' order owns the DAG and the others are import errors, until it lets go.
 */
export type DagClaims<File> = {
  /** Replaces what the file claims; returns the other files that claim one of the dagIds it gained or lost. */
  claim(file: File, dagIds: readonly string[]): Set<File>;
  /** The claimant that owns the DAG; undefined where nobody claims it. */
  ownerOf(dagId: string): File | undefined;
};

export function createDagClaims<File>(compare: (a: File, b: File) => number): DagClaims<File> {
  const claimants = new Map<string, Set<File>>();
  const claimed = new Map<File, Set<string>>();

  return {
    claim(file, dagIds) {
      const before = claimed.get(file) ?? new Set();
      const after = new Set(dagIds);
      const changed = [...before].filter((id) => !after.has(id)).concat([...after].filter((id) => !before.has(id)));
      if (after.size > 0) claimed.set(file, after);
      else claimed.delete(file);
      const others = new Set<File>();
      for (const dagId of changed) {
        const files = claimants.get(dagId) ?? new Set();
        if (after.has(dagId)) files.add(file);
        else files.delete(file);
        if (files.size > 0) claimants.set(dagId, files);
        else claimants.delete(dagId);
        for (const other of files) if (other !== file) others.add(other);
      }
      return others;
    },
    ownerOf(dagId) {
      return [...(claimants.get(dagId) ?? [])].sort(compare)[0];
    },
  };
}
