import type { Budget } from "./budget.ts";
import { formatPercent } from "./format-text.ts";
import { LookupNamespace } from "./lookup.ts";
import type { BinaryOperator, CompareOperator } from "./nodes.ts";
import { dateOf, durationOf, toTemplateDate, toTimeDelta } from "./template-date.ts";
import { describe, isDate, toText } from "./template-values.ts";

/** As in Python: empty texts, lists and objects, 0, false and null are false. */
export function isTruthy(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return Boolean(value);
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof LookupNamespace) return true;
  const duration = durationOf(value);
  if (duration !== undefined) return duration !== 0;
  for (const key in value) if (Object.hasOwn(value, key)) return true;
  return false;
}

/** `left` and `right` are defined. As in Python, a text is no number: `| int` and `| float` make it one. */
export function applyBinary(operator: BinaryOperator, left: unknown, right: unknown, budget: Budget): unknown {
  if (operator === "in") return isIn(left, right, budget);
  if (operator === "~") return joinTexts(left, right, budget);
  if (operator === "+" && typeof left === "string" && typeof right === "string") return joinTexts(left, right, budget);
  if (operator === "+" && Array.isArray(left) && Array.isArray(right)) {
    budget.step(left.length + right.length);
    return [...left, ...right];
  }
  if (operator === "%" && typeof left === "string") return formatPercent(left, right, budget);
  if (operator === "*") {
    if (typeof left === "string" || Array.isArray(left)) return repeat(left, right, budget);
    if (typeof right === "string" || Array.isArray(right)) return repeat(right, left, budget);
  }
  return applyToDates(operator, left, right) ?? calculate(operator, operand(operator, left), operand(operator, right));
}

function operand(operator: BinaryOperator, value: unknown): number {
  if (typeof value === "number" || typeof value === "boolean") return Number(value);
  const hint =
    typeof value !== "string" && !isDate(value)
      ? ""
      : operator === "+"
        ? ": join texts with ~, or make numbers of them with | int"
        : ": make a number of it with | int or | float";
  throw new Error(`'${operator}' needs a number, not ${describe(value)}${hint}`);
}

function calculate(operator: BinaryOperator, a: number, b: number): number {
  if (b === 0 && (operator === "/" || operator === "//" || operator === "%")) throw new Error(`'${operator}' divides by zero`);
  const result = compute(operator, a, b);
  const isWhole = Number.isInteger(a) && Number.isInteger(b) && operator !== "/";
  if (isWhole && Math.abs(result) >= 1) requireSafe(result);
  if (Number.isNaN(result)) throw new Error(`${a} ${operator} ${b} is not a number`);
  return result;
}

/** @throws Error for a whole number that is not exact. */
export function requireSafe(number: number): number {
  if (Number.isSafeInteger(number) || !(Number.isInteger(number) || Math.abs(number) === Number.POSITIVE_INFINITY)) return number;
  throw new Error(`${number} is not exact: whole numbers are at most 2 ** 53 - 1 here; keep a longer one as a text`);
}

function compute(operator: BinaryOperator, a: number, b: number): number {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return a / b;
    case "//":
      return Math.floor(a / b);
    // As in Python, with the sign of the divisor.
    case "%": {
      const rest = a % b;
      return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
    }
    default:
      return a ** b;
  }
}

function applyToDates(operator: BinaryOperator, left: unknown, right: unknown): unknown {
  const [date, other] = [dateOf(left), dateOf(right)];
  const [span, otherSpan] = [durationOf(left), durationOf(right)];
  if (date !== undefined && other !== undefined && operator === "-") return toTimeDelta(date.toMillis() - other.toMillis());
  if (date !== undefined && otherSpan !== undefined && (operator === "+" || operator === "-"))
    return toTemplateDate(date.plus({ milliseconds: operator === "+" ? otherSpan : -otherSpan }));
  if (span !== undefined && other !== undefined && operator === "+") return toTemplateDate(other.plus({ milliseconds: span }));
  if (span !== undefined && otherSpan !== undefined) {
    if (operator === "+" || operator === "-") return toTimeDelta(compute(operator, span, otherSpan));
    return operator === "*" || operator === "**" ? undefined : calculate(operator, span, otherSpan);
  }
  if (span !== undefined && typeof right === "number" && (operator === "*" || operator === "/" || operator === "//"))
    return toTimeDelta(Math.round(right === 0 ? calculate(operator, span, 0) : compute(operator, span, right)));
  if (otherSpan !== undefined && typeof left === "number" && operator === "*") return toTimeDelta(Math.round(left * otherSpan));
  return undefined;
}

function repeat(value: string | readonly unknown[], count: unknown, budget: Budget): unknown {
  if (typeof count !== "number" || !Number.isInteger(count))
    throw new Error(
      `'*' repeats a ${typeof value === "string" ? "text" : "list"} by a whole number, not by ${describe(count)}: make a number of a text with | int`,
    );
  const times = Math.max(0, count);
  if (typeof value === "string") {
    budget.text(value.length * times);
    return value.repeat(times);
  }
  budget.step(value.length * times);
  return Array.from({ length: value.length * times }, (_, index) => value[index % value.length]);
}

/** Counts the right part only, so that a loop can build a long text piece by piece; the longest one is what a budget allows. */
function joinTexts(left: unknown, right: unknown, budget: Budget): string {
  const start = typeof left === "string" ? left : toText(left, budget);
  return start + toText(right, budget);
}

export function isIn(value: unknown, container: unknown, budget: Budget): boolean {
  if (Array.isArray(container)) {
    budget.step(container.length);
    return container.some((element) => isEqual(element, value, budget));
  }
  if (typeof container === "string") {
    if (typeof value !== "string") throw new Error(`'in' a text needs a text on its left, not ${describe(value)}: use | string`);
    budget.text(container.length);
    return container.includes(value);
  }
  if (typeof container !== "object" || container === null || container instanceof LookupNamespace || isDate(container))
    throw new Error(`'in' needs a list, a text or an object on its right, not ${describe(container)}`);
  return typeof value === "string" && Object.hasOwn(container, value);
}

/** As in Python: `1 == '1'` is false, `1 == true` is true, dates by their instant, lists and objects by value. */
export function isEqual(left: unknown, right: unknown, budget: Budget): boolean {
  if (left === right) {
    if (typeof left === "string") budget.text(left.length);
    return true;
  }
  if (typeof left === "string" || typeof right === "string") {
    if (typeof left === "string" && typeof right === "string" && left.length === right.length) budget.text(left.length);
    return false;
  }
  if (isNumeric(left) && isNumeric(right)) return Number(left) === Number(right);
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
  if (isDate(left) || isDate(right)) {
    const [a, b] = [instantOf(left), instantOf(right)];
    return a !== undefined && b !== undefined && a.kind === b.kind && a.ms === b.ms;
  }
  if (Array.isArray(left) !== Array.isArray(right) || left instanceof LookupNamespace || right instanceof LookupNamespace)
    return false;
  return budget.nest(() =>
    Array.isArray(left) ? areListsEqual(left, right as unknown[], budget) : areEqual(left, right, budget),
  );
}

function areListsEqual(left: readonly unknown[], right: readonly unknown[], budget: Budget): boolean {
  if (left.length !== right.length) return false;
  budget.step(left.length + 1);
  return left.every((element, at) => isEqual(element, right[at], budget));
}

function areEqual(left: object, right: object, budget: Budget): boolean {
  const keys = Object.keys(left);
  const others = Object.keys(right);
  budget.step(keys.length + others.length + 1);
  if (keys.length !== others.length) return false;
  const [a, b] = [left as Record<string, unknown>, right as Record<string, unknown>];
  return keys.every((key) => Object.hasOwn(b, key) && isEqual(a[key], b[key], budget));
}

const isNumeric = (value: unknown) => typeof value === "number" || typeof value === "boolean";

function instantOf(value: unknown): { kind: "date" | "span"; ms: number } | undefined {
  const date = dateOf(value);
  if (date !== undefined) return { kind: "date", ms: date.toMillis() };
  const ms = durationOf(value);
  return ms === undefined ? undefined : { kind: "span", ms };
}

/** Below 0, 0 or above. @throws Error for values without an order between them, as Python does. */
export function compareOrder(left: unknown, right: unknown, use: string, budget: Budget): number {
  if (isNumeric(left) && isNumeric(right)) return Number(left) - Number(right);
  if (typeof left === "string" && typeof right === "string") {
    // Much faster than making as much text; a sort of many short texts must fit.
    budget.text(Math.ceil(Math.min(left.length, right.length) / 64));
    return left < right ? -1 : left > right ? 1 : 0;
  }
  if (Array.isArray(left) && Array.isArray(right))
    return budget.nest(() => {
      budget.step(Math.min(left.length, right.length) + 1);
      const at = left.findIndex((element, index) => index >= right.length || !isEqual(element, right[index], budget));
      if (at === -1) return left.length - right.length;
      return at >= right.length ? 1 : compareOrder(left[at], right[at], use, budget);
    });
  const [a, b] = [instantOf(left), instantOf(right)];
  if (a !== undefined && b !== undefined && a.kind === b.kind) return a.ms - b.ms;
  const hasText = typeof left === "string" || typeof right === "string";
  const hint =
    hasText && (a?.kind ?? b?.kind) === "date"
      ? ": a date has its text in | ds and | ts"
      : hasText && (isNumeric(left) || isNumeric(right))
        ? ": make a number of the text with | int or | float"
        : "";
  throw new Error(`${use} cannot order ${describe(left)} and ${describe(right)}${hint}`);
}

export function applyComparison(operator: CompareOperator, left: unknown, right: unknown, budget: Budget): boolean {
  switch (operator) {
    case "==":
      return isEqual(left, right, budget);
    case "!=":
      return !isEqual(left, right, budget);
    case "===":
      return left === right;
    case "!==":
      return left !== right;
  }
  const order = compareOrder(left, right, `'${operator}'`, budget);
  switch (operator) {
    case "<":
      return order < 0;
    case ">":
      return order > 0;
    case "<=":
      return order <= 0;
    case ">=":
      return order >= 0;
  }
}
