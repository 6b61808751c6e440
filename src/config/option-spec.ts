type Kind = "string" | "int" | "float" | "bool";

export type OptionSpec = {
  readonly kind: Kind;
  /** `null` = not set; the sentence says what then happens. */
  readonly default: string | number | boolean | null;
  readonly unit?: string;
  readonly min?: number;
  /** Of a number that has none, the bounds of all durations (unit "s") and counts hold: `contracts/bounds`. */
  readonly max?: number;
  readonly values?: readonly string[];
  /** Of a text: what it must match, and that in words, behind "but must be". */
  readonly form?: { readonly matches: RegExp; readonly words: string };
  readonly secret?: boolean;
  readonly about: string;
};
