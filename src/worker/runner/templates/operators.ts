import type { Budget } from "./budget.ts";
import { LookupNamespace } from "./lookup.ts";
import type { BinaryOperator, CompareOperator } from "./nodes.ts";
import { describe, isDate, toNumber, toText } from "./template-values.ts";

/** `left` and `right` are defined. Numbers may also be given as text, since params and variables often are. */
export function applyBinary(operator: BinaryOperator, left: unknown, right: unknown, budget: Budget): unknown {
  if (operator === "in") return isIn(left, right, budget);
  if (operator === "~") return joinTexts(left, right, budget);
  if (operator === "+") return add(left, right, budget);
  const a = toNumber(left, `'${operator}'`);
  const b = toNumber(right, `'${operator}'`);
  switch (operator) {
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return a / b;
    case "//":
      return Math.floor(a / b);
    case "%":
      return a % b;
    case "**":
      return a ** b;
  }
}

function add(left: unknown, right: unknown, budget: Budget): unknown {
  if (typeof left === "string" || typeof right === "string" || isDate(left) || isDate(right))
    return joinTexts(left, right, budget);
  if (Array.isArray(left) && Array.isArray(right)) {
    budget.step(left.length + right.length);
    return [...left, ...right];
  }
  return toNumber(left, "'+'") + toNumber(right, "'+'");
}

/** Counts the right part only, so that a loop can build a long text piece by piece; the longest one is what a budget allows. */
function joinTexts(left: unknown, right: unknown, budget: Budget): string {
  const start = typeof left === "string" ? left : toText(left, budget);
  return start + toText(right, budget);
}

function isIn(value: unknown, container: unknown, budget: Budget): boolean {
  if (Array.isArray(container)) {
    budget.step(container.length);
    return container.some((element) => element === value || (isDate(element) && applyComparison("==", element, value)));
  }
  if (typeof container === "string") {
    budget.text(container.length);
    return container.includes(toText(value, budget));
  }
  if (typeof container !== "object" || container === null || container instanceof LookupNamespace)
    throw new Error(`'in' needs a list, a text or an object on its right, not ${describe(container)}`);
  return Object.hasOwn(container, toText(value, budget));
}

/**
 * As in JavaScript between texts and numbers. A date compares as its text. Other objects are equal to themselves only and in no order,
 * because JavaScript would call their methods.
 */
export function applyComparison(operator: CompareOperator, left: unknown, right: unknown): boolean {
  const a = isDate(left) ? left.toString() : left;
  const b = isDate(right) ? right.toString() : right;
  const isComparable = isPlain(a) && isPlain(b);
  switch (operator) {
    case "==":
      // biome-ignore lint/suspicious/noDoubleEquals: "3" == 3 holds in templates.
      return isComparable ? a == b : a === b;
    case "!=":
      return !applyComparison("==", a, b);
    case "===":
      return a === b;
    case "!==":
      return a !== b;
  }
  if (!isComparable) return false;
  // The types are those of `isPlain`, for which the operators call nothing.
  const [x, y] = [a as number, b as number];
  switch (operator) {
    case "<":
      return x < y;
    case ">":
      return x > y;
    case "<=":
      return x <= y;
    case ">=":
      return x >= y;
  }
}

function isPlain(value: unknown): boolean {
  return (typeof value !== "object" || value === null) && typeof value !== "function" && typeof value !== "symbol";
}
