import type { Budget } from "./budget.ts";
import { applyComparison } from "./operators.ts";
import { isCallable } from "./template-function.ts";
import { isDate, toNumber, toPlainText } from "./template-values.ts";

type Test = (value: unknown, argument: unknown, budget: Budget) => boolean;

const isObject = (value: unknown) => typeof value === "object" && value !== null;
const equals: Test = (value, other) => (isDate(value) || isDate(other) ? applyComparison("==", value, other) : value === other);
const notEquals: Test = (value, other, budget) => !equals(value, other, budget);
const cased =
  (convert: (text: string) => string): Test =>
  (value, _other, budget) => {
    const text = toPlainText(value);
    budget.text(text.length);
    return convert(text) === text;
  };
const above: Test = (value, other) => applyComparison(">", value, other);
const below: Test = (value, other) => applyComparison("<", value, other);

/** The tests of `x is …`. */
export const TESTS: ReadonlyMap<string, Test> = new Map<string, Test>([
  ["callable", (value) => isCallable(value)],
  ["defined", (value) => value !== undefined],
  ["undefined", (value) => value === undefined],
  ["null", (value) => value === null],
  ["truthy", (value) => Boolean(value)],
  ["falsy", (value) => !value],
  ["number", (value) => typeof value === "number"],
  ["string", (value) => typeof value === "string"],
  ["iterable", (value) => typeof value === "string" || Array.isArray(value)],
  ["mapping", (value) => isObject(value) && !Array.isArray(value) && !isDate(value)],
  ["even", (value) => toNumber(value, "the test even") % 2 === 0],
  ["odd", (value) => Math.abs(toNumber(value, "the test odd") % 2) === 1],
  ["divisibleby", (value, by) => toNumber(value, "the test divisibleby") % toNumber(by, "the test divisibleby") === 0],
  ["lower", cased((text) => text.toLowerCase())],
  ["upper", cased((text) => text.toUpperCase())],
  ["escaped", () => false],
  ...["eq", "equalto", "sameas"].map((name) => [name, equals] as const),
  ["ne", notEquals],
  ...["gt", "greaterthan"].map((name) => [name, above] as const),
  ...["lt", "lessthan"].map((name) => [name, below] as const),
  ["ge", (value, other) => applyComparison(">=", value, other)],
  ["le", (value, other) => applyComparison("<=", value, other)],
]);
