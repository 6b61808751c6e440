/**
 * Finds many texts ("forms") in one pass. The last four characters read select, by a table of bits, the few places at which a
 * form may begin; there a tree of the forms' first PREFIX characters is walked. So the cost per character hardly depends on the
 * number of forms, and is at most PREFIX steps, whatever the text. What follows PREFIX is not in the tree: the text is covered as far as it
 * agrees with the form. So a beginning of PREFIX characters is covered even if the rest is missing.
 */
export type FormMatcher = {
  add(form: string): void;
  /** Replaces every form by `***`. `isCut`: the text was cut at its end, so the beginning of a form there is replaced, too. */
  replace(text: string, isCut: boolean): string;
};

const PREFIX = 32;
/** No form may be shorter. */
const GRAM = 4;
const TABLE_SIZE = 0x10000;
const HIDDEN = "***";

/** The marks of Baram and of Node's `inspect` at a place where a text was cut. */
const CUT_MARK = /… [[(]|["'`]? ?\.\.\. \d+ more (?:char|byte)/g;

export function createFormMatcher(): FormMatcher {
  const beginnings = new Uint8Array(TABLE_SIZE);
  /** Child of a node by `node * TABLE_SIZE + character`; the root is node 0. */
  const next = new Map<number, number>();
  const ends = new Set<number>();
  /** What follows the first PREFIX characters of longer forms. */
  const tails = new Map<number, string[]>();
  let nodes = 1;

  /** Where the longest form that begins at `at` ends; `at` if none begins there. */
  function reach(text: string, at: number, covered: number): number {
    let node = 0;
    let end = at;
    const last = Math.min(text.length, at + PREFIX);
    for (let i = at; i < last; i++) {
      const child = next.get(node * TABLE_SIZE + text.charCodeAt(i));
      if (child === undefined) return end;
      node = child;
      if (ends.has(node)) end = i + 1;
    }
    // Inside of what is covered already, the rest is not compared again: that keeps the cost linear.
    if (last <= covered) return end;
    for (const tail of tails.get(node) ?? []) {
      let i = 0;
      while (i < tail.length && last + i < text.length && tail.charCodeAt(i) === text.charCodeAt(last + i)) i++;
      end = Math.max(end, last + i);
    }
    return end;
  }

  /** Where the text before `cut` turns into the beginning of a form; `cut` if it does not. Longer ones are found by `reach`. */
  function beginningBefore(text: string, cut: number): number {
    for (let at = Math.max(0, cut - PREFIX + 1); at < cut; at++) {
      let node: number | undefined = 0;
      for (let i = at; i < cut && node !== undefined; i++) node = next.get(node * TABLE_SIZE + text.charCodeAt(i));
      if (node !== undefined) return at;
    }
    return cut;
  }

  function findCuts(text: string, isCut: boolean): number[][] {
    const marks = text.includes("… ") || text.includes("... ") ? [...text.matchAll(CUT_MARK)].map((mark) => mark.index) : [];
    const cuts = isCut ? [...marks, text.length] : marks;
    return cuts.map((cut) => [beginningBefore(text, cut), cut]).filter(([at = 0, cut = 0]) => at < cut);
  }

  function findForms(text: string): number[][] {
    const spans: number[][] = [];
    let hash = 0;
    let covered = 0;
    for (let i = 0; i < text.length; i++) {
      hash = nextHash(hash, text.charCodeAt(i));
      if (beginnings[hash] === 0) continue;
      const at = i - GRAM + 1;
      if (at < 0) continue;
      const end = reach(text, at, covered);
      if (end <= at || end <= covered) continue;
      spans.push([at, end]);
      covered = end;
    }
    return spans;
  }

  return {
    add(form) {
      let hash = 0;
      for (let i = 0; i < GRAM; i++) hash = nextHash(hash, form.charCodeAt(i));
      beginnings[hash] = 1;
      let node = 0;
      for (let i = 0; i < Math.min(form.length, PREFIX); i++) {
        const key = node * TABLE_SIZE + form.charCodeAt(i);
        let child = next.get(key);
        if (child === undefined) {
          child = nodes++;
          next.set(key, child);
        }
        node = child;
      }
      if (form.length <= PREFIX) ends.add(node);
      else {
        const known = tails.get(node);
        if (known) known.push(form.slice(PREFIX));
        else tails.set(node, [form.slice(PREFIX)]);
      }
    },
    replace(text, isCut) {
      const forms = findForms(text);
      const cuts = findCuts(text, isCut);
      if (forms.length === 0 && cuts.length === 0) return text;
      return cover(text, cuts.length === 0 ? forms : [...forms, ...cuts].sort(([a = 0], [b = 0]) => a - b));
    },
  };
}

/** Depends on the last four characters only: each is shifted out of the 16 bits by the four after it. */
function nextHash(hash: number, character: number): number {
  return ((hash << 4) ^ Math.imul(character, 0x9e3b)) & (TABLE_SIZE - 1);
}

/** `spans` in the order of their starts; those that touch each other become one. */
function cover(text: string, spans: readonly number[][]): string {
  let shown = "";
  let from = 0;
  for (const [at = 0, end = 0] of spans) {
    if (at > from || shown === "") shown += `${text.slice(from, at)}${HIDDEN}`;
    from = Math.max(from, end);
  }
  return shown + text.slice(from);
}
