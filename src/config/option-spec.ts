type Kind = "string" | "int" | "float" | "bool";

export type OptionSpec = {
  readonly kind: Kind;
  /** `null` = not set; `about` describes the effect. */
  readonly default: string | number | boolean | null;
  readonly unit?: string;
  readonly min?: number;
  /** A number without a maximum has the limits of all durations (unit "s") or counts: `contracts/bounds`. */
  readonly max?: number;
  readonly values?: readonly string[];
  /** For a text: the required pattern, and its description in words, which follows "but must be". */
  readonly form?: { readonly matches: RegExp; readonly words: string };
  readonly secret?: boolean;
  readonly about: string;
};
