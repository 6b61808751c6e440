import type { Budget } from "./budget.ts";
import { ACCEPTS_UNDEFINED, FILTERS } from "./filters.ts";
import { LookupNamespace, PendingLookup } from "./lookup.ts";
import type { Expression, Given, Macro, Statement } from "./nodes.ts";
import { applyBinary, applyComparison } from "./operators.ts";
import { Scope } from "./scope.ts";
import { callable, isCallable, Keywords } from "./template-function.ts";
import { createGlobals } from "./template-globals.ts";
import { readMember } from "./template-members.ts";
import { TESTS } from "./template-tests.ts";
import { toKeys, toList, toPlainText, toText } from "./template-values.ts";
import { hintFor } from "./undefined-names.ts";

/** What one rendering put out: `chunks` are the values of `{{ … }}` as they were before they became text. */
export type Rendered = { text: string; chunks: readonly unknown[] };

type Rendering = {
  readonly variables: Readonly<Record<string, unknown>>;
  readonly globals: ReadonlyMap<string, unknown>;
  /** What the template sets outside of loops and macros, which macros see. */
  readonly top: Scope;
  readonly budget: Budget;
  readonly chunks: unknown[];
  /** The line of the last node that was begun, for messages. */
  line: number;
  /** The name of the last value that was undefined, for messages. */
  lastMiss: string;
};

/**
 * Gives a parsed template its text. An undefined name is an error that contains the name. A template reads own properties and calls
 * functions of ours (`template-members.ts`, `template-function.ts`); there is no way from it to JavaScript.
 * @throws Error with the line, if it is not the first.
 */
export function renderNodes(
  template: readonly Statement[],
  variables: Readonly<Record<string, unknown>>,
  budget: Budget,
): Rendered {
  const top = new Scope();
  const rendering: Rendering = {
    variables,
    globals: createGlobals(budget),
    top,
    budget,
    chunks: [],
    line: 1,
    lastMiss: "a value",
  };
  try {
    return { text: renderBody(rendering, top, template), chunks: rendering.chunks };
  } catch (error) {
    // A lookup that is not loaded yet passes through unchanged.
    if (rendering.line <= 1 || !(error instanceof Error) || error instanceof PendingLookup) throw error;
    throw new Error(`line ${rendering.line}: ${error.message}`, { cause: error });
  }
}

function renderBody(rendering: Rendering, scope: Scope, body: readonly Statement[]): string {
  return rendering.budget.nest(() => {
    let text = "";
    for (const statement of body) text += renderStatement(rendering, scope, statement);
    return text;
  });
}

function renderStatement(rendering: Rendering, scope: Scope, statement: Statement): string {
  const { budget } = rendering;
  budget.step();
  rendering.line = statement.line;
  switch (statement.kind) {
    case "text":
      budget.text(statement.text.length);
      return statement.text;
    case "output": {
      const value = evaluateDefined(rendering, scope, statement.value);
      rendering.chunks.push(value);
      return toText(value, budget);
    }
    case "if": {
      const branch = statement.branches.find(({ condition }) => evaluate(rendering, scope, condition));
      return renderBody(rendering, scope, branch?.body ?? statement.otherwise);
    }
    case "for":
      return renderFor(rendering, scope, statement);
    case "set": {
      const value = evaluate(rendering, scope, statement.value);
      for (const name of statement.names) scope.set(name, value);
      return "";
    }
    case "macro":
      scope.declare(
        statement.macro.name,
        createMacro(rendering, statement.macro, () => new Scope(rendering.top, true)),
      );
      return "";
    case "switch": {
      const value = evaluate(rendering, scope, statement.value);
      const found = statement.cases.findIndex(({ condition }) =>
        applyComparison("===", value, evaluate(rendering, scope, condition)),
      );
      // As in nunjucks, a case without a body goes on with the next one.
      const chosen = found === -1 ? undefined : statement.cases.slice(found).find(({ body }) => body.length > 0);
      return renderBody(rendering, scope, chosen?.body ?? statement.otherwise);
    }
  }
}

function renderFor(rendering: Rendering, scope: Scope, statement: Extract<Statement, { kind: "for" }>): string {
  const { budget } = rendering;
  const { names, body } = statement;
  const given = evaluateDefined(rendering, scope, statement.list);
  const isObject = typeof given === "object" && given !== null && !Array.isArray(given);
  const elements =
    given === null || given === false
      ? []
      : isObject && names.length > 1
        ? toKeys(given, budget, "{% for %}").map((key) => [key, (given as Record<string, unknown>)[key]])
        : toList(given, budget, "{% for %}");
  if (elements.length === 0) return renderBody(rendering, scope, statement.otherwise);
  const inner = new Scope(scope);
  let text = "";
  for (const [index, element] of elements.entries()) {
    for (const [at, name] of names.entries()) inner.declare(name, names.length === 1 ? element : readPart(element, at, budget));
    inner.declare("loop", loopFacts(index, elements.length));
    text += renderBody(rendering, inner, body);
  }
  return text;
}

function readPart(element: unknown, at: number, budget: Budget): unknown {
  return Array.isArray(element) || typeof element === "string" ? readMember(element, at, budget) : undefined;
}

function loopFacts(index: number, length: number) {
  return {
    index: index + 1,
    index0: index,
    revindex: length - index,
    revindex0: length - index - 1,
    first: index === 0,
    last: index === length - 1,
    length,
  };
}

function evaluateDefined(rendering: Rendering, scope: Scope, node: Expression): unknown {
  const value = evaluate(rendering, scope, node);
  if (value !== undefined) return value;
  rendering.line = node.line;
  throw new Error(`'${rendering.lastMiss}' is undefined${hintFor(rendering.lastMiss)}`);
}

function evaluate(rendering: Rendering, scope: Scope, node: Expression): unknown {
  rendering.budget.step();
  rendering.line = node.line;
  if (node.kind === "literal") return node.value;
  if (node.kind === "name") return readName(rendering, scope, node.name);
  return rendering.budget.nest(() => evaluateNested(rendering, scope, node));
}

type Nested = Exclude<Expression, { kind: "literal" } | { kind: "name" }>;

function evaluateNested(rendering: Rendering, scope: Scope, node: Nested): unknown {
  const inner = (expression: Expression) => evaluate(rendering, scope, expression);
  const defined = (expression: Expression) => evaluateDefined(rendering, scope, expression);
  const { budget } = rendering;
  switch (node.kind) {
    case "list":
      return node.items.map(inner);
    case "dict":
      return Object.fromEntries(node.entries.map(([key, value]) => [key, inner(value)]));
    case "member":
      return evaluateMember(rendering, scope, node);
    case "call":
      return call(rendering, scope, node);
    case "filter":
      return applyFilter(rendering, scope, node);
    case "test": {
      const value = inner(node.input);
      const [argument] = node.given.positional.map(inner);
      return TESTS.get(node.name)?.(value, argument, budget);
    }
    case "unary": {
      if (node.operator === "not") return !inner(node.operand);
      const number = applyBinary("*", defined(node.operand), 1, budget) as number;
      return node.operator === "-" ? -number : number;
    }
    case "logic": {
      const left = inner(node.left);
      return (node.operator === "and") === Boolean(left) ? inner(node.right) : left;
    }
    case "binary":
      return applyBinary(node.operator, defined(node.left), defined(node.right), budget);
    case "compare": {
      let left = inner(node.first);
      return node.rest.every(({ operator, operand }) => {
        const right = inner(operand);
        const holds = applyComparison(operator, left, right);
        left = right;
        return holds;
      });
    }
    case "choice":
      if (inner(node.condition)) return inner(node.then);
      return node.otherwise === null ? "" : inner(node.otherwise);
    case "capture":
      return renderBody(rendering, scope, node.body);
    case "caller":
      return createMacro(rendering, node.macro, () => new Scope(scope, true));
  }
}

function readName(rendering: Rendering, scope: Scope, name: string): unknown {
  const owner = scope.find(name);
  const value =
    owner !== undefined
      ? owner.get(name)
      : Object.hasOwn(rendering.variables, name)
        ? rendering.variables[name]
        : rendering.globals.get(name);
  if (value === undefined) rendering.lastMiss = name;
  return value;
}

function evaluateMember(rendering: Rendering, scope: Scope, node: Extract<Expression, { kind: "member" }>): unknown {
  const object = evaluate(rendering, scope, node.target);
  const key = evaluate(rendering, scope, node.key);
  const name = toPlainText(key);
  const { lastMiss } = rendering;
  if (object === undefined) throw new Error(`'${lastMiss}' is undefined${hintFor(lastMiss)}, so it has no '${name}'`);
  if (object === null) throw new Error(`'${name}' is asked of null`);
  const value = readMember(object, key, rendering.budget);
  if (value === undefined)
    rendering.lastMiss = `${object instanceof LookupNamespace ? object.name : nameOf(node.target)}.${name}`;
  return value;
}

/** How the template calls a value, for messages. */
function nameOf(node: Expression): string {
  if (node.kind === "name") return node.name;
  if (node.kind === "call") return `${nameOf(node.callee)}(…)`;
  if (node.kind !== "member") return "(…)";
  return `${nameOf(node.target)}.${node.key.kind === "literal" ? node.key.value : "(…)"}`;
}

function call(rendering: Rendering, scope: Scope, node: Extract<Expression, { kind: "call" }>): unknown {
  const callee = evaluate(rendering, scope, node.callee);
  const name = nameOf(node.callee);
  if (!isCallable(callee))
    throw new Error(`'${name}' is called, but it is not a function${callee === undefined ? hintFor(name) : ""}`);
  const value = callee(...evaluateGiven(rendering, scope, node.given));
  if (typeof value === "string") rendering.budget.text(value.length);
  if (value === undefined) rendering.lastMiss = `${name}(…)`;
  return value;
}

function evaluateGiven(rendering: Rendering, scope: Scope, given: Given): unknown[] {
  const args = given.positional.map((argument) => evaluate(rendering, scope, argument));
  if (given.keywords.length === 0) return args;
  const entries = given.keywords.map(([name, argument]) => [name, evaluate(rendering, scope, argument)] as const);
  return [...args, new Keywords(Object.fromEntries(entries))];
}

function applyFilter(rendering: Rendering, scope: Scope, node: Extract<Expression, { kind: "filter" }>): unknown {
  const value = evaluate(rendering, scope, node.input);
  const filter = FILTERS.get(node.name);
  if (filter === undefined) throw new Error(`filter not found: ${node.name}`);
  if (value === undefined && !ACCEPTS_UNDEFINED.has(node.name)) {
    const { lastMiss } = rendering;
    throw new Error(`the filter ${node.name} is given a value that is undefined: '${lastMiss}'${hintFor(lastMiss)}`);
  }
  const args = node.given.positional.map((argument) => evaluate(rendering, scope, argument));
  for (const [name, argument] of node.given.keywords) {
    const position = filter.parameters.indexOf(name);
    if (position === -1) throw new Error(`the filter ${node.name} has no parameter '${name}'`);
    args[position] = evaluate(rendering, scope, argument);
  }
  const result = filter.apply(value, args, rendering.budget);
  if (result === undefined) rendering.lastMiss = `… | ${node.name}`;
  return result;
}

/** A function that renders the macro's body. */
function createMacro(rendering: Rendering, macro: Macro, openScope: () => Scope) {
  return callable((...args: unknown[]) => {
    const last = args.at(-1);
    const keywords = last instanceof Keywords ? last.values : {};
    const positional = last instanceof Keywords ? args.slice(0, -1) : args;
    if (positional.length > macro.parameters.length)
      throw new Error(`the macro ${macro.name} takes ${macro.parameters.length} arguments, not ${positional.length}`);
    const scope = openScope();
    if (Object.hasOwn(keywords, "caller")) scope.declare("caller", keywords.caller);
    for (const [at, { name, fallback }] of macro.parameters.entries()) {
      const given = at < positional.length ? positional[at] : Object.hasOwn(keywords, name) ? keywords[name] : undefined;
      scope.declare(name, given === undefined && fallback !== null ? evaluate(rendering, scope, fallback) : given);
    }
    return renderBody(rendering, scope, macro.body);
  });
}
