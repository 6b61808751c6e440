import { failAt, type Token, type TokenKind } from "./tokenize.ts";

/** Deeper nesting than anyone writes, and shallow enough for the stack. */
const DEEPEST = 100;

export type TokenReader = {
  peek(): Token;
  next(): Token;
  /** The name after the next token, if it is one. */
  isAhead(kind: TokenKind, text?: string, distance?: number): boolean;
  /** Reads the token if it is this one. */
  skip(kind: TokenKind, text?: string): boolean;
  expect(kind: TokenKind, text?: string): Token;
  fail(reason: string, at?: Token): never;
  /** Runs one level of nesting. */
  nest<T>(parse: () => T): T;
};

export function createTokenReader(tokens: readonly Token[]): TokenReader {
  const end: Token = tokens.at(-1) ?? { kind: "end", text: "", line: 1, column: 1 };
  let at = 0;
  let depth = 0;
  const peek = (distance = 0) => tokens[at + distance] ?? end;
  const isAhead = (kind: TokenKind, text?: string, distance = 0) => {
    const token = peek(distance);
    return token.kind === kind && (text === undefined || token.text === text);
  };
  const next = () => {
    const token = peek();
    at += 1;
    return token;
  };
  const fail = (reason: string, token = peek()) => failAt(token, reason);
  return {
    peek,
    next,
    isAhead,
    fail,
    skip(kind, text) {
      const found = isAhead(kind, text);
      if (found) at += 1;
      return found;
    },
    expect(kind, text) {
      if (!isAhead(kind, text)) fail(`expected ${text ?? `a ${kind}`}, got ${JSON.stringify(peek().text)}`);
      return next();
    },
    nest(parse) {
      depth += 1;
      if (depth > DEEPEST) fail(`nested deeper than ${DEEPEST} levels`);
      const result = parse();
      depth -= 1;
      return result;
    },
  };
}
