import { didYouMean } from "../../../platform/index.ts";
import { FILTERS } from "./filters.ts";
import type { BinaryOperator, CompareOperator, Comparison, Expression, Given } from "./nodes.ts";
import { TESTS } from "./template-tests.ts";
import type { TokenReader } from "./token-reader.ts";
import type { Token } from "./tokenize.ts";

/** Jinja's operators of two values from the weakest, as nunjucks ordered them: `~` is weaker than `+`. All are read from the left. */
const BINARY: readonly (readonly BinaryOperator[])[] = [["~"], ["+", "-"], ["*", "/", "//", "%"], ["**"]];
const COMPARE: readonly CompareOperator[] = ["==", "===", "!=", "!==", "<", ">", "<=", ">="];
const CONSTANTS: ReadonlyMap<string, boolean | null> = new Map([
  ["true", true],
  ["false", false],
  ["none", null],
  ["null", null],
]);

/** Names that cannot begin the argument of a test that is written without parentheses. */
const AFTER_TESTS: readonly string[] = ["else", "or", "and", "if", "is", "in", "not"];

/** One expression, or several with commas between them, which make a list. */
export function parseExpressions(reader: TokenReader): Expression {
  const first = parseExpression(reader);
  if (!reader.isAhead("symbol", ",")) return first;
  const items = [first];
  while (reader.skip("symbol", ",") && !reader.isAhead("close")) items.push(parseExpression(reader));
  return { kind: "list", line: first.line, items };
}

export function parseExpression(reader: TokenReader, isLoop = false): Expression {
  return reader.nest(() => {
    const then = parseOr(reader);
    // `for x in list if …` is the loop's condition.
    if (isLoop) return then;
    if (!reader.skip("name", "if")) return then;
    const condition = parseOr(reader);
    const otherwise = reader.skip("name", "else") ? parseExpression(reader) : null;
    return { kind: "choice", line: then.line, condition, then, otherwise };
  });
}

function parseOr(reader: TokenReader): Expression {
  let left = parseAnd(reader);
  while (reader.skip("name", "or")) left = { kind: "logic", line: left.line, operator: "or", left, right: parseAnd(reader) };
  return left;
}

function parseAnd(reader: TokenReader): Expression {
  let left = parseNot(reader);
  while (reader.skip("name", "and")) left = { kind: "logic", line: left.line, operator: "and", left, right: parseNot(reader) };
  return left;
}

function parseNot(reader: TokenReader): Expression {
  const { line } = reader.peek();
  if (!reader.skip("name", "not")) return parseIn(reader);
  return { kind: "unary", line, operator: "not", operand: reader.nest(() => parseNot(reader)) };
}

function parseIn(reader: TokenReader): Expression {
  let left = parseCompare(reader);
  for (;;) {
    const inverted = reader.isAhead("name", "not") && reader.isAhead("name", "in", 1);
    if (inverted) reader.next();
    if (!reader.skip("name", "in")) return left;
    left = { kind: "binary", line: left.line, operator: "in", left, right: parseCompare(reader) };
    if (inverted) left = { kind: "unary", line: left.line, operator: "not", operand: left };
  }
}

/** The test after `input is`. */
function parseTest(reader: TokenReader, input: Expression): Expression {
  const inverted = reader.skip("name", "not");
  const token = reader.expect("name");
  const name = token.text;
  const signature = TESTS.get(name)?.signature ?? reader.fail(`test not found: ${name}${didYouMean(name, TESTS.keys())}`, token);
  const given = reader.isAhead("symbol", "(")
    ? parseGiven(reader)
    : signature.slots.length > 0 && isArgumentAhead(reader)
      ? { positional: [parsePostfix(reader, parsePrimary(reader))], keywords: [] }
      : NONE_GIVEN;
  const test: Expression = { kind: "test", line: input.line, name, input, given };
  return inverted ? { kind: "unary", line: input.line, operator: "not", operand: test } : test;
}

/** As in `x is divisibleby 3`. */
function isArgumentAhead(reader: TokenReader): boolean {
  const { kind, text } = reader.peek();
  return kind === "string" || kind === "number" || (kind === "name" ? !AFTER_TESTS.includes(text) : text === "[" || text === "{");
}

function parseCompare(reader: TokenReader): Expression {
  const first = parseBinary(reader, 0);
  const rest: Comparison[] = [];
  for (let operator = aheadOf(reader, COMPARE); operator !== undefined; operator = aheadOf(reader, COMPARE)) {
    reader.next();
    rest.push({ operator, operand: parseBinary(reader, 0) });
  }
  return rest.length === 0 ? first : { kind: "compare", line: first.line, first, rest };
}

function parseBinary(reader: TokenReader, level: number): Expression {
  const operators = BINARY[level];
  if (operators === undefined) return parseUnary(reader, true);
  let left = parseBinary(reader, level + 1);
  for (let operator = aheadOf(reader, operators); operator !== undefined; operator = aheadOf(reader, operators)) {
    reader.next();
    left = { kind: "binary", line: left.line, operator, left, right: parseBinary(reader, level + 1) };
  }
  return left;
}

function aheadOf<T extends string>(reader: TokenReader, symbols: readonly T[]): T | undefined {
  const token = reader.peek();
  return token.kind === "symbol" ? symbols.find((symbol) => symbol === token.text) : undefined;
}

/** A filter or test applies to the signed value: `-1 | abs` is 1. */
function parseUnary(reader: TokenReader, withFilters: boolean): Expression {
  const { line } = reader.peek();
  const operator = aheadOf(reader, ["-", "+"]);
  if (operator !== undefined) reader.next();
  let node: Expression =
    operator === undefined
      ? parsePostfix(reader, parsePrimary(reader))
      : { kind: "unary", line, operator, operand: reader.nest(() => parseUnary(reader, false)) };
  for (;;) {
    if (withFilters && reader.skip("symbol", "|")) node = parseFilter(reader, node);
    // As in Jinja, a test is of what stands directly before it: `1 + x is odd` asks about x.
    else if (withFilters && reader.skip("name", "is")) node = parseTest(reader, node);
    else return node;
  }
}

/** The name and arguments of a filter, which is given `input`. */
export function parseFilter(reader: TokenReader, input: Expression): Expression {
  const token = reader.expect("name");
  if (!FILTERS.has(token.text)) reader.fail(`filter not found: ${token.text}${didYouMean(token.text, FILTERS.keys())}`, token);
  const given = reader.isAhead("symbol", "(") ? parseGiven(reader) : NONE_GIVEN;
  return { kind: "filter", line: token.line, name: token.text, input, given };
}

/** Members, elements and calls after a value. */
export function parsePostfix(reader: TokenReader, value: Expression): Expression {
  let node = value;
  for (;;) {
    const { line } = reader.peek();
    if (reader.isAhead("symbol", "(")) node = { kind: "call", line, callee: node, given: parseGiven(reader) };
    else if (reader.skip("symbol", "[")) {
      node = parseSubscript(reader, node, line);
    } else if (reader.skip("symbol", ".")) {
      const { text } = reader.expect("name");
      node = { kind: "member", line, target: node, key: { kind: "literal", line, value: text } };
    } else return node;
  }
}

/** `[key]`, or a slice `[start:stop:step]` whose parts can be left out. */
function parseSubscript(reader: TokenReader, target: Expression, line: number): Expression {
  const bounds: (Expression | null)[] = [null];
  let isSlice = false;
  while (!reader.skip("symbol", "]")) {
    if (reader.skip("symbol", ":")) {
      isSlice = true;
      bounds.push(null);
      if (bounds.length > 3) reader.fail("a slice has three parts at most, [start:stop:step]");
    } else if (bounds.at(-1) === null) bounds[bounds.length - 1] = parseExpression(reader);
    else reader.expect("symbol", "]");
  }
  if (isSlice) return { kind: "slice", line, target, bounds };
  const [key = null] = bounds;
  return key === null ? reader.fail("the [ ] are empty") : { kind: "member", line, target, key };
}

export function parsePrimary(reader: TokenReader): Expression {
  const token = reader.next();
  const { line, text } = token;
  if (token.kind === "string") {
    let value = text;
    // As in Python, texts beside each other are one.
    while (reader.isAhead("string")) value += reader.next().text;
    return { kind: "literal", line, value };
  }
  if (token.kind === "number") return { kind: "literal", line, value: toLiteral(reader, token) };
  if (token.kind === "name") {
    const constant = CONSTANTS.get(text);
    return constant === undefined ? { kind: "name", line, name: text } : { kind: "literal", line, value: constant };
  }
  if (token.kind === "symbol" && text === "(") {
    if (reader.skip("symbol", ")")) return { kind: "list", line, items: [] };
    const first = parseExpression(reader);
    if (reader.skip("symbol", ")")) return first;
    // As in Python, a comma makes a list.
    reader.expect("symbol", ",");
    return { kind: "list", line, items: [first, ...parseItems(reader, ")", () => parseExpression(reader))] };
  }
  if (token.kind === "symbol" && text === "[")
    return { kind: "list", line, items: parseItems(reader, "]", () => parseExpression(reader)) };
  if (token.kind === "symbol" && text === "{")
    return { kind: "dict", line, entries: parseItems(reader, "}", () => parseEntry(reader)) };
  return reader.fail(`unexpected ${JSON.stringify(text)}`, token);
}

/** A whole number that JavaScript cannot hold is refused, because it would be another number. */
function toLiteral(reader: TokenReader, token: Token): number {
  const plain = token.text.replaceAll("_", "");
  const value = Number(plain);
  const isInexact = /^\d+$/.test(plain) && !Number.isSafeInteger(value);
  if (isInexact || !Number.isFinite(value))
    reader.fail(`${token.text} is larger than a number can be here, 2 ** 53 - 1: write it as a text, '${plain}'`, token);
  return value;
}

function parseEntry(reader: TokenReader): readonly [string, Expression] {
  const key = reader.next();
  if (key.kind !== "string" && key.kind !== "name") reader.fail("the keys of a dict must be texts or names", key);
  reader.expect("symbol", ":");
  return [key.text, parseExpression(reader)];
}

function parseItems<T>(reader: TokenReader, end: string, parse: () => T): T[] {
  const items: T[] = [];
  while (!reader.skip("symbol", end)) {
    if (items.length > 0) {
      reader.expect("symbol", ",");
      if (reader.skip("symbol", end)) break;
    }
    items.push(parse());
  }
  return items;
}

export const NONE_GIVEN: Given = { positional: [], keywords: [] };

/** `(value, …, name=value, …)`. */
function parseGiven(reader: TokenReader): Given {
  const positional: Expression[] = [];
  const keywords: (readonly [string, Expression])[] = [];
  reader.expect("symbol", "(");
  parseItems(reader, ")", () => {
    if (reader.isAhead("name") && reader.isAhead("symbol", "=", 1)) {
      const name = reader.next().text;
      reader.next();
      if (keywords.some(([known]) => known === name)) reader.fail(`the argument '${name}' is given twice`);
      keywords.push([name, parseExpression(reader)]);
      return;
    }
    if (reader.isAhead("symbol", "*") || reader.isAhead("symbol", "**"))
      reader.fail("arguments cannot be given as *list or **dict: write them one by one");
    if (keywords.length > 0) reader.fail("an argument by position stands after one by name");
    positional.push(parseExpression(reader));
  });
  return { positional, keywords };
}
