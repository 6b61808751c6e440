import { didYouMean } from "../../../platform/index.ts";
import { FILTERS } from "./filters.ts";
import type { BinaryOperator, CompareOperator, Comparison, Expression, Given } from "./nodes.ts";
import { TESTS } from "./template-tests.ts";
import type { TokenReader } from "./token-reader.ts";

/** Jinja's operators of two values from the weakest, as nunjucks ordered them: `~` is weaker than `+`. All are read from the left. */
const BINARY: readonly (readonly BinaryOperator[])[] = [["~"], ["+", "-"], ["*", "/", "//", "%"], ["**"]];
const COMPARE: readonly CompareOperator[] = ["==", "===", "!=", "!==", "<", ">", "<=", ">="];
const CONSTANTS: ReadonlyMap<string, boolean | null> = new Map([
  ["true", true],
  ["false", false],
  ["none", null],
  ["null", null],
]);

export function parseExpression(reader: TokenReader): Expression {
  return reader.nest(() => {
    const then = parseOr(reader);
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
  let left = parseIs(reader);
  for (;;) {
    const inverted = reader.isAhead("name", "not") && reader.isAhead("name", "in", 1);
    if (inverted) reader.next();
    if (!reader.skip("name", "in")) return left;
    left = { kind: "binary", line: left.line, operator: "in", left, right: parseIs(reader) };
    if (inverted) left = { kind: "unary", line: left.line, operator: "not", operand: left };
  }
}

function parseIs(reader: TokenReader): Expression {
  const input = parseCompare(reader);
  if (!reader.skip("name", "is")) return input;
  const inverted = reader.skip("name", "not");
  const token = reader.expect("name");
  // `none` is a constant elsewhere.
  const name = token.text === "none" ? "null" : token.text;
  if (!TESTS.has(name)) reader.fail(`test not found: ${name}${didYouMean(name, TESTS.keys())}`, token);
  const given = reader.isAhead("symbol", "(") ? parseGiven(reader) : NONE_GIVEN;
  const test: Expression = { kind: "test", line: input.line, name, input, given };
  return inverted ? { kind: "unary", line: input.line, operator: "not", operand: test } : test;
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

/** A filter applies to the signed value: `-1 | abs` is 1. */
function parseUnary(reader: TokenReader, withFilters: boolean): Expression {
  const { line } = reader.peek();
  const operator = aheadOf(reader, ["-", "+"]);
  if (operator !== undefined) reader.next();
  let node: Expression =
    operator === undefined
      ? parsePostfix(reader, parsePrimary(reader))
      : { kind: "unary", line, operator, operand: reader.nest(() => parseUnary(reader, false)) };
  while (withFilters && reader.skip("symbol", "|")) node = parseFilter(reader, node);
  return node;
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
      const key = parseExpression(reader);
      reader.expect("symbol", "]");
      node = { kind: "member", line, target: node, key };
    } else if (reader.skip("symbol", ".")) {
      const { text } = reader.expect("name");
      node = { kind: "member", line, target: node, key: { kind: "literal", line, value: text } };
    } else return node;
  }
}

export function parsePrimary(reader: TokenReader): Expression {
  const token = reader.next();
  const { line, text } = token;
  if (token.kind === "string") return { kind: "literal", line, value: text };
  if (token.kind === "number") return { kind: "literal", line, value: Number(text) };
  if (token.kind === "name") {
    const constant = CONSTANTS.get(text);
    return constant === undefined ? { kind: "name", line, name: text } : { kind: "literal", line, value: constant };
  }
  if (token.kind === "symbol" && text === "(") {
    const items = parseItems(reader, ")", () => parseExpression(reader));
    const [only] = items;
    // As in Python, a comma makes a list.
    return only !== undefined && items.length === 1 ? only : { kind: "list", line, items };
  }
  if (token.kind === "symbol" && text === "[")
    return { kind: "list", line, items: parseItems(reader, "]", () => parseExpression(reader)) };
  if (token.kind === "symbol" && text === "{")
    return { kind: "dict", line, entries: parseItems(reader, "}", () => parseEntry(reader)) };
  return reader.fail(`unexpected ${JSON.stringify(text)}`, token);
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
      keywords.push([name, parseExpression(reader)]);
    } else positional.push(parseExpression(reader));
  });
  return { positional, keywords };
}
