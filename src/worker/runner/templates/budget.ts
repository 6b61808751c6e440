/** What one rendering may cost. Real templates need less than a hundredth; an endless one ends within about a second. */
const MOST_STEPS = 10_000_000;
const MOST_CHARACTERS = 32 * 1024 * 1024;
/** Of expressions, blocks and macros inside each other; the stack holds several times as many. */
const DEEPEST = 500;

export type Budget = {
  /** One evaluated node, element of a list or key of an object. */
  step(count?: number): void;
  /** Text that is read or made. Call it before text is made, so that the text is never in memory. */
  text(characters: number): void;
  nest<T>(work: () => T): T;
};

export function createBudget(): Budget {
  let steps = 0;
  let characters = 0;
  let depth = 0;
  return {
    step(count = 1) {
      steps += count;
      // Written so that NaN is refused, too.
      if (!(steps <= MOST_STEPS)) throw new Error(`the template needs more than ${MOST_STEPS.toLocaleString("en")} steps`);
    },
    text(count) {
      characters += count;
      if (!(characters <= MOST_CHARACTERS))
        throw new Error(`the template handles more than ${MOST_CHARACTERS / 1024 / 1024} million characters of text`);
    },
    nest(work) {
      depth += 1;
      if (depth > DEEPEST)
        throw new Error(`the template is nested deeper than ${DEEPEST} levels, or a macro calls itself without end`);
      const result = work();
      depth -= 1;
      return result;
    },
  };
}
