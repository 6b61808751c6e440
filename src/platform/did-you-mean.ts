/** At most this many edits, and more than half of the name in common. */
const EDITS_MAX = 3;
const SIMILARITY_MIN = 0.5;

/**
 * The known name that is most similar to a mistyped one, or undefined if none is similar enough. Case, `_` and `-` are ignored,
 * so that `start_date` finds `startDate`. Of equally similar names the first one is chosen. `similarityMin`: the minimum share of
 * the longer name that both have in common; set it higher if a wrong guess does harm.
 */
export function findSimilar(name: string, known: Iterable<string>, similarityMin = SIMILARITY_MIN): string | undefined {
  const given = plain(name);
  let best: string | undefined;
  let least = EDITS_MAX + 1;
  for (const candidate of known) {
    const wanted = plain(candidate);
    const length = Math.max(given.length, wanted.length);
    if (Math.abs(given.length - wanted.length) >= least) continue;
    const edits = countEdits(given, wanted);
    if (edits >= least || (edits > 0 && (length - edits) / length <= similarityMin)) continue;
    best = candidate;
    least = edits;
  }
  return best;
}

/** The end of a message about an unknown name: `; did you mean "retries"?`, or "" if no known name is similar. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const similar = findSimilar(name, known);
  return similar === undefined ? "" : `; did you mean "${similar}"?`;
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[_-]/g, "");
}

/** Counts insertions, deletions, replacements and swaps of neighbours (optimal string alignment distance). */
function countEdits(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let i = 1; i <= from.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = (last[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      const edits = Math.min(replaced, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      const isSwapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      row.push(isSwapped ? Math.min(edits, (beforeLast[j - 2] ?? 0) + 1) : edits);
    }
    beforeLast = last;
    last = row;
  }
  return last[to.length] ?? 0;
}
