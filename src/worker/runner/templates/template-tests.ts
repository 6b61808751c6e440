import type { Budget } from "./budget.ts";
import { applyComparison, isEqual, isIn, isTruthy } from "./operators.ts";
import { isCallable, type Signature, signatureOf } from "./template-function.ts";
import { isDate, toNumber, toPlainText } from "./template-values.ts";

type Check = (value: unknown, argument: unknown, budget: Budget) => boolean;
type Test = { readonly signature: Signature; readonly apply: Check };

const isObject = (value: unknown) => typeof value === "object" && value !== null;
const isSequence = (value: unknown) => typeof value === "string" || Array.isArray(value);
const isMapping = (value: unknown) => isObject(value) && !Array.isArray(value) && !isDate(value);
const cased =
  (convert: (text: string) => string): Check =>
  (value, _other, budget) => {
    const text = toPlainText(value);
    budget.text(text.length);
    return convert(text) === text;
  };
const compared =
  (operator: "<" | ">" | "<=" | ">="): Check =>
  (value, other, budget) =>
    applyComparison(operator, value, other, budget);
const number = (value: unknown, name: string) => toNumber(value, `the test ${name}`);

const WITHOUT_ARGUMENT: Readonly<Record<string, Check>> = {
  callable: (value) => isCallable(value),
  defined: (value) => value !== undefined,
  undefined: (value) => value === undefined,
  null: (value) => value === null,
  none: (value) => value === null,
  true: (value) => value === true,
  false: (value) => value === false,
  boolean: (value) => typeof value === "boolean",
  integer: (value) => Number.isInteger(value),
  float: (value) => typeof value === "number" && !Number.isInteger(value),
  truthy: (value) => isTruthy(value),
  falsy: (value) => !isTruthy(value),
  // As in Python, where true is a number.
  number: (value) => typeof value === "number" || typeof value === "boolean",
  string: (value) => typeof value === "string",
  iterable: (value) => isSequence(value) || isMapping(value),
  sequence: (value) => isSequence(value) || isMapping(value),
  mapping: (value) => isMapping(value),
  even: (value) => number(value, "even") % 2 === 0,
  odd: (value) => Math.abs(number(value, "odd") % 2) === 1,
  lower: cased((text) => text.toLowerCase()),
  upper: cased((text) => text.toUpperCase()),
  escaped: () => false,
};

const equals: Check = isEqual;
const differs: Check = (value, other, budget) => !isEqual(value, other, budget);

const WITH_ARGUMENT: Readonly<Record<string, Check>> = {
  divisibleby(value, by) {
    const divisor = number(by, "divisibleby");
    if (divisor === 0) throw new Error("the test divisibleby divides by zero");
    return number(value, "divisibleby") % divisor === 0;
  },
  in: isIn,
  sameas: (value, other) => value === other,
  eq: equals,
  equalto: equals,
  "==": equals,
  ne: differs,
  "!=": differs,
  gt: compared(">"),
  greaterthan: compared(">"),
  ">": compared(">"),
  lt: compared("<"),
  lessthan: compared("<"),
  "<": compared("<"),
  ge: compared(">="),
  ">=": compared(">="),
  le: compared("<="),
  "<=": compared("<="),
};

/** The tests of `x is …`, and of `select('…')`. */
export const TESTS: ReadonlyMap<string, Test> = new Map<string, Test>([
  ...Object.entries(WITHOUT_ARGUMENT).map(([name, apply]) => [name, { signature: signatureOf(""), apply }] as const),
  ...Object.entries(WITH_ARGUMENT).map(([name, apply]) => [name, { signature: signatureOf("other, /"), apply }] as const),
]);
