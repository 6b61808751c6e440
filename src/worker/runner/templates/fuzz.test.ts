import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fakeCaller } from "../../../../tests/support/run-one-task.ts";
import type { TemplateContext } from "./index.ts";
import { createTemplateRenderer } from "./render-template.ts";

/** Random seeds are printed by fast-check when a property fails. */
const RUNS = Number(process.env.BARAM_RUNS ?? 3_000);

/** Written by whatever runs JavaScript of ours or reads a global. */
const trespasses: string[] = [];
const CANARY = "__templateCanary";
const date = new Date("2024-01-31T00:00:00Z");
const data = {
  limit: 3,
  name: "Ada",
  list: [{ id: 1 }, { id: 2 }],
  evil: "{{ process.env }}",
  constructor_name: "constructor",
  proto: "__proto__",
  trap: () => trespasses.push("a function of the data was called"),
};
const context = {
  run: {
    dagId: "d",
    runId: "r",
    runType: "manual",
    logicalDate: date,
    dataIntervalStart: date,
    dataIntervalEnd: date,
    runAfter: date,
    startDate: date,
    conf: {},
    clearNumber: 0,
    note: null,
    triggeringUserName: null,
  },
  ds: "2024-01-31",
  dag: { dagId: "d", tags: ["a"], timezone: "UTC" },
  params: data,
  conf: { name: "Grace" },
} as unknown as TemplateContext;

const name = fc.constantFrom(
  "ds",
  "params",
  "conf",
  "logical_date",
  "macros",
  "conn",
  "var",
  "run_id",
  "x",
  "loop",
  "range",
  "cycler",
  "joiner",
  "m",
  "caller",
  "true",
  "none",
  "größe",
);
const trap = fc.constantFrom(
  "process",
  "globalThis",
  "Function",
  "constructor",
  "__proto__",
  "prototype",
  "require",
  "eval",
  "this",
  "toString",
  "valueOf",
  "env",
  "runtime",
  "frame",
  "context",
  "cb",
  "lineno",
  "output",
  "arguments",
  CANARY,
  "trap",
  "Symbol",
  "Reflect",
  "import",
  "__defineGetter__",
  "call",
  "apply",
  "bind",
);
const text = fc.oneof(
  fc.constantFrom("a", "b,c", "2024-01-31", "%Y", "constructor", "__proto__", "`", "\\x22", "\u2028"),
  fc.string({ maxLength: 6 }),
);
const quoted = text.map((content) => JSON.stringify(content));
const filter = fc.constantFrom(
  "upper",
  "default('x')",
  "tojson",
  "length",
  "join(',')",
  "sort(attribute='constructor')",
  "groupby('__proto__')",
  "replace('a', 'b')",
  "first",
  "list",
  "select('callable')",
  "selectattr('constructor')",
  "string",
  "int",
  "dictsort",
  "map('upper')",
  "map(attribute='constructor')",
  "map('attr', '__proto__')",
  "attr('constructor')",
  "selectattr('id', 'eq', 1)",
  "rejectattr('__proto__', 'defined')",
  "unique",
  "min",
  "max(attribute='id')",
  "items",
  "format(1, 'a')",
  "wordwrap(3)",
  "filesizeformat",
  "pprint",
  "ts_nodash",
  "count",
  "d(process)",
  "sum('id')",
  "batch(2)",
  "urlize",
  "striptags",
);
const jinjaTest = fc.constantFrom(
  "defined",
  "callable",
  "none",
  "mapping",
  "odd",
  "sameas(1)",
  "constructor",
  "in [1]",
  "eq 1",
  "divisibleby 2",
  "sequence",
);
const valid = fc.constantFrom("params.list", "params.name", "params.limit", "ds", "logical_date", "[1, 2]", "'a'", "3", "{}");
const list = fc.constantFrom("params.list", "[1, 2]", "'ab'", "params", "[[1, 2]]");
const format = fc.constantFrom("'%s/%s'", "'%(constructor)s'", "'%5d'", "'%0*d'", "'%9999999999s'", "'%'", "'%e %x'");
const braces = fc.constantFrom(
  "'{}'",
  "'{0.constructor}'",
  "'{0[__proto__]}'",
  "'{:>9999999999}'",
  "'{constructor}'",
  "'{:%Y}'",
  "'{'",
);
const operator = fc.constantFrom("+", "-", "*", "/", "//", "%", "**", "~", "==", "<", "in", "not in", "and", "or");

const { expression } = fc.letrec<{ expression: string; leaf: string }>((tie) => ({
  leaf: fc.oneof(name, trap, quoted, valid, valid, fc.nat(12).map(String)),
  expression: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    tie("leaf"),
    fc.tuple(tie("expression"), fc.oneof(name, trap)).map(([of, key]) => `${of}.${key}`),
    fc.tuple(tie("expression"), tie("expression")).map(([of, key]) => `${of}[${key}]`),
    fc.tuple(tie("expression"), fc.array(tie("expression"), { maxLength: 2 })).map(([of, args]) => `${of}(${args.join(", ")})`),
    fc.tuple(tie("expression"), name, tie("expression")).map(([of, key, value]) => `${of}(${key}=${value})`),
    fc.tuple(tie("expression"), operator, tie("expression")).map(([a, by, b]) => `(${a} ${by} ${b})`),
    fc.tuple(tie("expression"), filter).map(([of, by]) => `(${of} | ${by})`),
    fc.tuple(tie("expression"), jinjaTest).map(([of, by]) => `(${of} is ${by})`),
    fc.tuple(tie("expression"), tie("expression")).map(([a, b]) => `(${a} if ${b} else none)`),
    fc.tuple(tie("expression"), tie("expression"), tie("expression")).map(([of, a, b]) => `${of}[${a}:${b}]`),
    fc.tuple(format, tie("expression")).map(([by, value]) => `(${by} % ${value})`),
    fc.tuple(braces, tie("expression")).map(([by, value]) => `${by}.format(${value})`),
    fc.tuple(name, tie("expression")).map(([key, value]) => `namespace(${key}=${value})`),
    fc.tuple(name, tie("expression")).map(([key, value]) => `dict(${value}, ${key}=1)`),
    tie("expression").map((value) => `(logical_date + macros.timedelta(days=${value}))`),
    tie("expression").map((value) => `macros.datetime(2024, ${value}, 1)`),
    fc.array(tie("expression"), { maxLength: 3 }).map((items) => `[${items.join(", ")}]`),
    fc.tuple(quoted, tie("expression")).map(([key, value]) => `{${key}: ${value}}`),
  ),
}));

const { template } = fc.letrec<{ template: string; block: string }>((tie) => ({
  block: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    fc.string({ maxLength: 8 }),
    // What can succeed, because random values seldom fit together.
    fc.tuple(valid, filter).map(([value, by]) => `{{ ${value} | ${by} }}`),
    fc.tuple(valid, operator, valid).map(([a, by, b]) => `{{ ${a} ${by} ${b} }}`),
    fc.tuple(valid, jinjaTest).map(([value, by]) => `{{ 1 if ${value} is ${by} }}`),
    fc.tuple(format, valid).map(([by, value]) => `{{ ${by} % ${value} }}`),
    fc.tuple(braces, valid).map(([by, value]) => `{{ ${by}.format(${value}) }}`),
    fc.tuple(list, list).map(([of, by]) => `{% for x in ${of} if ${by} %}{{ loop.changed(x) }}{{ x }}{% endfor %}`),
    fc
      .tuple(name, trap, valid)
      .map(([to, key, value]) => `{% set ${to} = namespace() %}{% set ${to}.${key} = ${value} %}{{ ${to} }}`),
    expression.map((value) => `{{ ${value} }}`),
    fc.tuple(name, expression).map(([to, value]) => `{% set ${to} = ${value} %}`),
    fc.tuple(name, expression).map(([to, value]) => `{% set ${to}, y = ${value} %}{% do ${value} %}`),
    fc.tuple(name, expression, tie("template")).map(([to, value, body]) => `{% with ${to} = ${value} %}${body}{% endwith %}`),
    fc.tuple(expression, tie("template")).map(([list, body]) => `{% for x in ${list} %}${body}{% endfor %}`),
    fc.tuple(expression, tie("template")).map(([condition, body]) => `{%- if ${condition} -%}${body}{% else %}n{% endif %}`),
    tie("template").map((body) => `{% macro m(x, ds=1) %}${body}{% endmacro %}{{ m(1) }}`),
    tie("template").map((body) => `{% call m(1) %}${body}{% endcall %}`),
    fc.tuple(filter, tie("template")).map(([by, body]) => `{% filter ${by} %}${body}{% endfilter %}`),
    tie("template").map((body) => `{% switch params.limit %}{% case 3 %}${body}{% endswitch %}`),
    tie("template").map((body) => `{% raw %}${body}{% endraw %}{# ${body} #}`),
  ),
  template: fc.array(tie("block"), { minLength: 1, maxLength: 3 }).map((blocks) => blocks.join("")),
}));

/** What would close a string, a call or a statement in generated JavaScript, and what reads a global if it runs. */
const shard = fc.constantFrom(
  `x"^Function\`throw\\x20process\\x2eversion\`\`\`^"y`,
  `"+globalThis.${CANARY}+"`,
  `");globalThis.${CANARY};("`,
  `\`\${globalThis.${CANARY}}\``,
  `'+process.${CANARY}+'`,
  `*/globalThis.${CANARY}/*`,
  `\n}catch(e){}globalThis.${CANARY};try{\n`,
  `\u2028globalThis.${CANARY}\u2028`,
  `r/${CANARY}/g`,
  "constructor.constructor",
  "__proto__",
  "{{",
  "}}",
  "{%",
  "%}",
  "{#",
  "#}",
  "-%}",
  "'",
  '"',
  "\\",
  "(",
  ")",
  "[",
  "]",
  "{",
  "}",
  "|",
  "=",
  ",",
  ".",
  ":",
  "endfor",
  "endraw",
  "else",
);
const mutated = fc
  .tuple(
    template,
    fc.array(fc.tuple(fc.nat(1_000), fc.nat(4), fc.oneof(shard, trap, fc.string({ maxLength: 3 }))), { maxLength: 4 }),
  )
  .map(([source, edits]) =>
    edits.reduce((at, [position, removed, added]) => {
      const index = position % (at.length + 1);
      return at.slice(0, index) + added + at.slice(index + removed);
    }, source),
  );

describe("no template, however odd", () => {
  const prototype = Object.getOwnPropertyNames(Object.prototype).sort();

  beforeAll(() => {
    for (const [where, target] of Object.entries({ globalThis, process, Function, "Object.prototype": Object.prototype })) {
      const get = () => void trespasses.push(`${where} was read`);
      Object.defineProperty(target, CANARY, { configurable: true, get });
    }
  });
  afterAll(() => {
    for (const target of [globalThis, process, Function, Object.prototype]) Reflect.deleteProperty(target, CANARY);
  });

  it("reaches a global, a prototype or a function that is not ours, hangs, or changes its variables", async () => {
    const before = JSON.stringify(data);
    let renderedCount = 0;
    await fc.assert(
      fc.asyncProperty(fc.oneof(template, mutated), async (source) => {
        const { caller } = fakeCaller({ variables: { x: "v" } });
        const begun = performance.now();
        try {
          const rendered = await createTemplateRenderer(context, caller).renderNative(source);
          renderedCount += 1;
          expect(typeof rendered === "function" || rendered === globalThis).toBe(false);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
          // These would be JavaScript's own: something was used as what it is not, or the stack ended before the count.
          const { cause = error } = error as Error;
          expect(cause).not.toBeInstanceOf(TypeError);
          expect(cause).not.toBeInstanceOf(RangeError);
        }
        expect(trespasses).toEqual([]);
        expect(performance.now() - begun).toBeLessThan(10_000);
      }),
      { numRuns: RUNS },
    );
    // A grammar whose templates all fail early would prove nothing.
    expect(renderedCount).toBeGreaterThan(RUNS / 10);
    expect(JSON.stringify(data)).toBe(before);
    expect(
      Object.getOwnPropertyNames(Object.prototype)
        .filter((key) => key !== CANARY)
        .sort(),
    ).toEqual(prototype);
  }, 120_000);

  it.each([
    '{{ x"^Function`throw\\x20process\\x2eversion```^"y }}',
    '{% set x"^Function`throw\\x20process\\x2eversion```^"y = 1 %}',
    '{% for x"+process+" in [1] %}{% endfor %}',
    '{{ 1 | x"+process+" }}',
    '{{ 1 is x"+process+" }}',
    '{% macro m(x"+process+") %}{% endmacro %}',
  ])("can put code into a name: %s", async (source) => {
    const { caller } = fakeCaller();
    await expect(createTemplateRenderer(context, caller).renderText(source)).rejects.toThrow("syntax error: line 1, column");
  });
});
