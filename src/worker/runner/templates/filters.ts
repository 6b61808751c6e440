import type { Budget } from "./budget.ts";
import { LIST_FILTERS } from "./filters-of-lists.ts";
import { TEXT_FILTERS } from "./filters-of-texts.ts";
import { toNumber } from "./template-values.ts";

/** `parameters` are the names that the arguments may be given by. */
export type Filter = {
  readonly parameters: readonly string[];
  readonly apply: (value: unknown, args: readonly unknown[], budget: Budget) => unknown;
};

/** The filters of `value | name(…)`: nunjucks', and those of Airflow. */
export const FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ...Object.entries(TEXT_FILTERS),
  ...Object.entries(LIST_FILTERS),
  ...["default", "d"].map((name) => [name, { parameters: ["default_value", "boolean"], apply: applyDefault }] as const),
  ["abs", { parameters: [], apply: (value: unknown) => Math.abs(toNumber(value, "the filter abs")) }],
  ["round", { parameters: ["precision", "method"], apply: round }],
  [
    "float",
    {
      parameters: ["default"],
      apply: (value: unknown, [fallback]: readonly unknown[]) => numberOr(parseNumber(value), fallback),
    },
  ],
  ["int", { parameters: ["default", "base"], apply: toInt }],
]);

/** The only filter that is given undefined values. */
export const ACCEPTS_UNDEFINED: ReadonlySet<string> = new Set(["default", "d"]);

function applyDefault(value: unknown, [fallback, ofFalsy]: readonly unknown[]): unknown {
  return ofFalsy ? value || fallback : value === undefined ? fallback : value;
}

function round(value: unknown, [precision, method]: readonly unknown[]): number {
  const factor = 10 ** toNumber(precision ?? 0, "the filter round");
  const rounder = method === "ceil" ? Math.ceil : method === "floor" ? Math.floor : Math.round;
  return rounder(toNumber(value, "the filter round") * factor) / factor;
}

function toInt(value: unknown, [fallback, base]: readonly unknown[]): unknown {
  const radix = base === undefined ? 10 : toNumber(base, "the filter int");
  const plain = typeof value === "string" || typeof value === "number" ? String(value) : "";
  return numberOr(Number.parseInt(plain, radix), fallback);
}

function parseNumber(value: unknown): number {
  return typeof value === "string" || typeof value === "number" ? Number.parseFloat(String(value)) : Number.NaN;
}

function numberOr(number: number, fallback: unknown): unknown {
  return Number.isNaN(number) ? fallback : number;
}
