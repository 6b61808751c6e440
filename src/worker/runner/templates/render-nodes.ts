import type { Budget } from "./budget.ts";
import { ACCEPTS_UNDEFINED, bindFilter, FILTERS } from "./filters.ts";
import { LookupNamespace, PendingLookup } from "./lookup.ts";
import { createLoop, setNames } from "./loops.ts";
import type { Expression, Given, Macro, Statement } from "./nodes.ts";
import { applyBinary, applyComparison, isEqual, isTruthy } from "./operators.ts";
import { Scope } from "./scope.ts";
import { bindArguments, callable, declarationOf, type GivenValues, isCallable, macroSignature } from "./template-function.ts";
import { createGlobals, setInNamespace } from "./template-globals.ts";
import { readMember, readSlice } from "./template-members.ts";
import { TESTS } from "./template-tests.ts";
import { describe, noFunction, toKeys, toList, toPlainText, toText } from "./template-values.ts";
import { hintFor, refuseConfigSection } from "./undefined-names.ts";

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
      const branch = statement.branches.find(({ condition }) => isTruthy(evaluate(rendering, scope, condition)));
      return renderBody(rendering, scope, branch?.body ?? statement.otherwise);
    }
    case "for":
      return renderFor(rendering, scope, statement);
    case "set": {
      setNames(scope, statement.names, evaluate(rendering, scope, statement.value), budget);
      return "";
    }
    case "setMember": {
      const value = evaluateDefined(rendering, scope, statement.value);
      setInNamespace(readName(rendering, scope, statement.owner), statement.owner, statement.name, value);
      return "";
    }
    case "with": {
      const inner = new Scope(scope);
      for (const [name, value] of statement.entries) inner.set(name, evaluate(rendering, scope, value));
      return renderBody(rendering, inner, statement.body);
    }
    case "do":
      evaluateDefined(rendering, scope, statement.value);
      return "";
    case "macro":
      scope.set(
        statement.macro.name,
        createMacro(rendering, statement.macro, () => new Scope(rendering.top)),
      );
      return "";
    case "switch": {
      const value = evaluate(rendering, scope, statement.value);
      const found = statement.cases.findIndex(({ condition }) => isEqual(value, evaluate(rendering, scope, condition), budget));
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
  const open = (element: unknown) => {
    // As in Jinja, what one pass sets is gone in the next one.
    const inner = new Scope(scope);
    setNames(inner, names, element, budget);
    return inner;
  };
  const { condition } = statement;
  const chosen =
    condition === null ? elements : elements.filter((element) => isTruthy(evaluate(rendering, open(element), condition)));
  if (chosen.length === 0) return renderBody(rendering, scope, statement.otherwise);
  const loop = createLoop(chosen, budget);
  let text = "";
  for (const [index, element] of chosen.entries()) {
    const inner = open(element);
    inner.set("loop", loop(index));
    text += renderBody(rendering, inner, body);
  }
  return text;
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
      return node.items.map((item) => noFunction(inner(item)));
    case "dict":
      return Object.fromEntries(node.entries.map(([key, value]) => [key, noFunction(inner(value))]));
    case "member":
      return evaluateMember(rendering, scope, node);
    case "slice": {
      const bounds = node.bounds.map((bound) => (bound === null ? undefined : defined(bound)));
      return readSlice(defined(node.target), bounds, budget);
    }
    case "call":
      return call(rendering, scope, node);
    case "filter":
      return applyFilter(rendering, scope, node);
    case "test": {
      const test = TESTS.get(node.name);
      if (test === undefined) throw new Error(`test not found: ${node.name}`);
      const value = inner(node.input);
      const [argument] = bindArguments(`the test ${node.name}`, test.signature, evaluateGiven(node.given, inner));
      return test.apply(value, argument, budget);
    }
    case "unary": {
      if (node.operator === "not") return !isTruthy(inner(node.operand));
      return applyBinary("*", node.operator === "-" ? -1 : 1, requireNumber(defined(node.operand), node.operator), budget);
    }
    case "logic": {
      const left = inner(node.left);
      return (node.operator === "and") === isTruthy(left) ? inner(node.right) : left;
    }
    case "binary":
      return applyBinary(node.operator, defined(node.left), defined(node.right), budget);
    case "compare": {
      let left = inner(node.first);
      return node.rest.every(({ operator, operand }) => {
        const right = inner(operand);
        const holds = applyComparison(operator, left, right, budget);
        left = right;
        return holds;
      });
    }
    case "choice":
      if (isTruthy(inner(node.condition))) return inner(node.then);
      return node.otherwise === null ? "" : inner(node.otherwise);
    case "capture":
      return renderBody(rendering, scope, node.body);
    case "caller":
      return createMacro(rendering, node.macro, () => new Scope(scope));
  }
}

/** A text or list would be repeated. */
function requireNumber(value: unknown, sign: string): unknown {
  if (typeof value === "string" || Array.isArray(value)) throw new Error(`'${sign}' needs a number, not ${describe(value)}`);
  return value;
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
  const declaration = declarationOf(callee);
  if (declaration === undefined) throw new Error(`'${name}' is not a function of templates`);
  const evaluateOne = (argument: Expression) =>
    declaration.acceptsUndefined ? evaluate(rendering, scope, argument) : evaluateDefined(rendering, scope, argument);
  const given = evaluateGiven(node.given, evaluateOne);
  if (name === "conf.get") refuseConfigSection(given.positional, rendering.variables.conf);
  const value = callee(...bindArguments(`${name}()`, declaration.signature, given));
  if (typeof value === "string") rendering.budget.text(value.length);
  if (value === undefined) rendering.lastMiss = missOf(name, given);
  return value;
}

/** For messages: `var.value.get('x')` finds nothing as `var.value.x` does. */
function missOf(name: string, { positional }: GivenValues): string {
  const [key] = positional;
  return /^(?:var\.(?:value|json)|conn)\.get$/.test(name) && typeof key === "string"
    ? `${name.slice(0, -".get".length)}.${key}`
    : `${name}(…)`;
}

function evaluateGiven(given: Given, evaluateOne: (argument: Expression) => unknown): GivenValues {
  const positional = given.positional.map(evaluateOne);
  const keywords = new Map(given.keywords.map(([name, argument]) => [name, evaluateOne(argument)]));
  return { positional, keywords };
}

function applyFilter(rendering: Rendering, scope: Scope, node: Extract<Expression, { kind: "filter" }>): unknown {
  const value = evaluate(rendering, scope, node.input);
  const filter = FILTERS.get(node.name);
  if (filter === undefined) throw new Error(`filter not found: ${node.name}`);
  if (value === undefined && !ACCEPTS_UNDEFINED.has(node.name)) {
    const { lastMiss } = rendering;
    throw new Error(`the filter ${node.name} is given a value that is undefined: '${lastMiss}'${hintFor(lastMiss)}`);
  }
  const evaluateOne = (argument: Expression) =>
    ACCEPTS_UNDEFINED.has(node.name) ? evaluate(rendering, scope, argument) : evaluateDefined(rendering, scope, argument);
  const args = bindFilter(node.name, filter, evaluateGiven(node.given, evaluateOne));
  const result = filter.apply(value, args, rendering.budget);
  if (result === undefined) rendering.lastMiss = `… | ${node.name}`;
  return result;
}

/** A function that renders the macro's body. */
function createMacro(rendering: Rendering, macro: Macro, openScope: () => Scope) {
  const names = macro.parameters.map((parameter) => parameter.name);
  const render = (...args: unknown[]) => {
    const scope = openScope();
    const caller = args[names.length];
    if (caller !== undefined) scope.set("caller", caller);
    for (const [at, { name, fallback }] of macro.parameters.entries()) {
      const given = args[at];
      scope.set(name, given === undefined && fallback !== null ? evaluate(rendering, scope, fallback) : given);
    }
    return renderBody(rendering, scope, macro.body);
  };
  return callable(macroSignature(names), render, { acceptsUndefined: true });
}
