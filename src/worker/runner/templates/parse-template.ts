import type { Branch, Expression, Macro, Statement } from "./nodes.ts";
import { parseExpression, parseExpressions, parseFilter, parsePostfix, parsePrimary } from "./parse-expression.ts";
import { createTokenReader, type TokenReader } from "./token-reader.ts";
import { tokenize } from "./tokenize.ts";

const NO_FILES = "template not found: task templates cannot load other templates";
/** Tags of Jinja that a task's template has no use for. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ["include", NO_FILES],
  ["import", NO_FILES],
  ["from", NO_FILES],
  ["extends", NO_FILES],
  ["block", "{% block %} is not supported in task templates"],
  ["break", "{% break %} is not supported: write {% for x in list if … %}"],
  ["continue", "{% continue %} is not supported: write {% for x in list if … %}"],
  ["autoescape", "{% autoescape %} is not supported: nothing is escaped but by | escape"],
]);

/** Parsed templates by source, for warm runners; emptied when full, since sources come from DAG files only. */
const parsed = new Map<string, readonly Statement[]>();
const MAX_PARSED = 1_000;

/** @throws Error "syntax error: …" with the place in the template. */
export function parseTemplate(source: string): readonly Statement[] {
  const known = parsed.get(source);
  if (known !== undefined) return known;
  const reader = createTokenReader(tokenize(source));
  const { body } = parseBody(reader, []);
  if (parsed.size >= MAX_PARSED) parsed.clear();
  parsed.set(source, body);
  return body;
}

/** Statements up to one of these tags, which is read up to its name, or up to the end of the template if there are none. */
function parseBody(reader: TokenReader, ends: readonly string[]): { body: Statement[]; end: string } {
  const body: Statement[] = [];
  for (;;) {
    const token = reader.next();
    const { line } = token;
    if (token.kind === "end") {
      if (ends.length === 0) return { body, end: "" };
      reader.fail(`expected {% ${ends.at(-1)} %}, got the end of the template`, token);
    }
    if (token.kind === "text") body.push({ kind: "text", line, text: token.text });
    else if (token.text === "{{") {
      body.push({ kind: "output", line, value: parseExpression(reader) });
      reader.expect("close", "}}");
    } else {
      const tag = reader.expect("name");
      if (ends.includes(tag.text)) return { body, end: tag.text };
      const parse = STATEMENTS.get(tag.text);
      if (parse === undefined) reader.fail(REFUSED.get(tag.text) ?? `unknown block tag: ${tag.text}`, tag);
      else body.push(reader.nest(() => parse(reader, line)));
    }
  }
}

function closeTag(reader: TokenReader): void {
  reader.expect("close", "%}");
}

/** A body whose only end is one tag, with that tag. */
function parseBodyUntil(reader: TokenReader, end: string): Statement[] {
  closeTag(reader);
  const { body } = parseBody(reader, [end]);
  // As in Jinja, the name may be repeated: {% endmacro greet %}.
  reader.skip("name");
  closeTag(reader);
  return body;
}

type ParseStatement = (reader: TokenReader, line: number) => Statement;

const parseIf: ParseStatement = (reader, line) => {
  const branches: Branch[] = [];
  for (let tag = "if"; tag !== "endif"; ) {
    if (tag === "else") {
      const otherwise = parseBodyUntil(reader, "endif");
      return { kind: "if", line, branches, otherwise };
    }
    const condition = parseExpression(reader);
    closeTag(reader);
    const { body, end } = parseBody(reader, ["elif", "elseif", "else", "endif"]);
    branches.push({ condition, body });
    tag = end;
  }
  closeTag(reader);
  return { kind: "if", line, branches, otherwise: [] };
};

const parseFor: ParseStatement = (reader, line) => {
  const names = parseNames(reader);
  reader.expect("name", "in");
  const list = parseExpression(reader, true);
  const condition = reader.skip("name", "if") ? parseExpression(reader) : null;
  if (reader.isAhead("name", "recursive")) reader.fail("{% for … recursive %} is not supported: write a macro that calls itself");
  closeTag(reader);
  const { body, end } = parseBody(reader, ["else", "endfor"]);
  const otherwise = end === "else" ? parseBodyUntil(reader, "endfor") : [];
  if (end !== "else") closeTag(reader);
  return { kind: "for", line, names, list, condition, body, otherwise };
};

const parseSet: ParseStatement = (reader, line) => {
  if (reader.isAhead("symbol", ".", 1)) {
    const owner = reader.expect("name").text;
    reader.next();
    const name = reader.expect("name").text;
    reader.expect("symbol", "=");
    const value = parseExpressions(reader);
    closeTag(reader);
    return { kind: "setMember", line, owner, name, value };
  }
  const names = parseNames(reader);
  if (!reader.skip("symbol", "=")) {
    if (names.length > 1) reader.fail("the block of {% set %} … {% endset %} has one name");
    const body: Statement[] = [];
    let value: Expression = { kind: "capture", line, body };
    while (reader.skip("symbol", "|")) value = parseFilter(reader, value);
    body.push(...parseBodyUntil(reader, "endset"));
    return { kind: "set", line, names, value };
  }
  const value = parseExpressions(reader);
  closeTag(reader);
  return { kind: "set", line, names, value };
};

const parseWith: ParseStatement = (reader, line) => {
  const entries: (readonly [string, Expression])[] = [];
  while (!reader.isAhead("close")) {
    if (entries.length > 0) reader.expect("symbol", ",");
    const name = reader.expect("name").text;
    reader.expect("symbol", "=");
    entries.push([name, parseExpression(reader)]);
  }
  return { kind: "with", line, entries, body: parseBodyUntil(reader, "endwith") };
};

const parseDo: ParseStatement = (reader, line) => {
  const value = parseExpressions(reader);
  closeTag(reader);
  return { kind: "do", line, value };
};

const parseMacro: ParseStatement = (reader, line) => {
  const name = reader.expect("name").text;
  const parameters = parseParameters(reader);
  return { kind: "macro", line, macro: { name, parameters, body: parseBodyUntil(reader, "endmacro") } };
};

/** `{% call(user) list_users() %}…{% endcall %}`: the macro's `caller()` gives what stands between. */
const parseCall: ParseStatement = (reader, line) => {
  const parameters = reader.isAhead("symbol", "(") ? parseParameters(reader) : [];
  const call = parsePostfix(reader, parsePrimary(reader));
  if (call.kind !== "call") return reader.fail("{% call %} needs the call of a macro, as in {% call greet() %}");
  const macro: Macro = { name: "caller", parameters, body: parseBodyUntil(reader, "endcall") };
  const keywords = [...call.given.keywords, ["caller", { kind: "caller", line, macro }] as const];
  return { kind: "output", line, value: { ...call, given: { positional: call.given.positional, keywords } } };
};

const parseFilterBlock: ParseStatement = (reader, line) => {
  const body: Statement[] = [];
  const value: Expression = parseFilter(reader, { kind: "capture", line, body });
  body.push(...parseBodyUntil(reader, "endfilter"));
  return { kind: "output", line, value };
};

const parseSwitch: ParseStatement = (reader, line) => {
  const value = parseExpression(reader);
  closeTag(reader);
  const ends = ["case", "default", "endswitch"];
  let { end } = parseBody(reader, ends);
  const cases: Branch[] = [];
  while (end === "case") {
    const condition = parseExpression(reader);
    closeTag(reader);
    const parsedCase = parseBody(reader, ends);
    cases.push({ condition, body: parsedCase.body });
    end = parsedCase.end;
  }
  if (end === "default") return { kind: "switch", line, value, cases, otherwise: parseBodyUntil(reader, "endswitch") };
  closeTag(reader);
  return { kind: "switch", line, value, cases, otherwise: [] };
};

const STATEMENTS: ReadonlyMap<string, ParseStatement> = new Map([
  ["if", parseIf],
  ["for", parseFor],
  ["set", parseSet],
  ["with", parseWith],
  ["do", parseDo],
  ["macro", parseMacro],
  ["call", parseCall],
  ["filter", parseFilterBlock],
  ["switch", parseSwitch],
]);

function parseNames(reader: TokenReader): string[] {
  const names = [reader.expect("name").text];
  while (reader.skip("symbol", ",")) names.push(reader.expect("name").text);
  if (new Set(names).size < names.length) reader.fail("a name stands twice in the list of names");
  return names;
}

function parseParameters(reader: TokenReader): Macro["parameters"] {
  const parameters: { name: string; fallback: Expression | null }[] = [];
  reader.expect("symbol", "(");
  while (!reader.skip("symbol", ")")) {
    if (parameters.length > 0) reader.expect("symbol", ",");
    const name = reader.expect("name").text;
    if (parameters.some((known) => known.name === name)) reader.fail(`the parameter '${name}' stands twice`);
    parameters.push({ name, fallback: reader.skip("symbol", "=") ? parseExpression(reader) : null });
  }
  return parameters;
}
