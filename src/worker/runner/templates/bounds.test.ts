import { describe, expect, it } from "vitest";
import { createBudget } from "./budget.ts";
import { parseTemplate } from "./parse-template.ts";
import { renderNodes } from "./render-nodes.ts";

const variables = { params: { text: "a".repeat(1_000_000), list: Array.from({ length: 100_000 }, (_, index) => index) } };
const render = (source: string) => renderNodes(parseTemplate(source), variables, createBudget()).text;

const DOUBLED_30_TIMES = "{% for i in range(30) %}{% set n.x = GROW %}{% endfor %}{{ n.x }}";
/** A template that makes `start` larger 30 times. */
const growing = (start: string, grow: string) =>
  `{% set n = namespace(x=${start}) %}${DOUBLED_30_TIMES.replace("GROW", grow.replaceAll("x", "n.x"))}`;

describe("a template that would never end, or fill the memory, fails with a reason", () => {
  it.each(
    [
      ["{% for i in range(10**9) %}{{ i }}{% endfor %}", "range() gives at most 100,000 numbers, not 1000000000"],
      ["{{ range(0, 1, 10 ** -9) }}", "range() gives at most 100,000 numbers"],
      ["{{ range(0, 2.5 ** 5000) }}", "range() gives at most"],
      ["{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", "needs more than 10,000,000 steps"],
      [growing("'ab'", "x ~ x"), "million characters"],
      [growing("'ab'", "x + x"), "million characters"],
      [growing("['ab']", "[x, x]"), "needs more than"],
      [growing("['ab']", "x + x"), "needs more than"],
      [growing("{}", "{a: x, b: x}").replace("{{ n.x }}", "{{ n.x | tojson(4) }}"), "million characters"],
      ["{% for i in range(1000) %}{{ params.text.upper() | length }}{% endfor %}", "million characters"],
      ["{% for i in range(1000) %}{{ 'b' in params.text }}{% endfor %}", "million characters"],
      ["{% for i in range(1000) %}{{ -1 in params.list }}{% endfor %}", "needs more than"],
      ["{{ '7'.zfill(10 ** 12) }}", "million characters"],
      ["{{ '7' | center(10 ** 12) }}", "million characters"],
      ["{{ '7' | indent(10 ** 12, true) }}", "million characters"],
      ["{{ '7'.ljust(10 ** 9) }}", "million characters"],
      ["{{ '7'.rjust(10 ** 9, 'x') }}", "million characters"],
      ["{{ 'a' * 10 ** 9 }}", "million characters"],
      ["{{ 10 ** 9 * [1] }}", "needs more than"],
      ["{{ '%1000000000s' % 1 }}", "million characters"],
      ["{{ '%01000000000d' % 1 }}", "million characters"],
      ["{{ '%.1000000000f' % 1 }}", "more than 100 digits"],
      ["{{ '%.1000000000d' % 1 }}", "more than 100 digits"],
      ["{{ '{:>1000000000}'.format(1) }}", "million characters"],
      ["{{ '{:.1000000000e}'.format(1) }}", "more than 100 digits"],
      ["{{ '{:.1000000000}'.format(1) }}", "more than 100 digits"],
      ["{{ '%1000000000s' | format(1) }}", "million characters"],
      ["{{ ('%s' * 1000) % ([params.text] * 1000) }}", "million characters"],
      ["{{ ('{0}' * 1000).format(params.text) | length }}", "million characters"],
      ["{{ params.text | wordwrap(1, wrapstring=params.text) | length }}", "million characters"],
      ["{% for i in range(1000) %}{{ params.text | wordwrap(10) | length }}{% endfor %}", "million characters"],
      ["{% for i in range(1000) %}{{ params.list | unique | length }}{% endfor %}", "needs more than"],
      ["{% for i in range(1000) %}{{ [params.text] | unique | length }}{% endfor %}", "million characters"],
      ["{% for i in range(1000) %}{{ params.list | map('string') | length }}{% endfor %}", "million characters"],
      ["{% for i in range(1000) %}{{ params.list | min }}{% endfor %}", "needs more than"],
      ["{% for i in range(1000) %}{{ params.list | groupby | length }}{% endfor %}", "lacks 'attribute'"],
      ["{% for i in range(1000) %}{{ params.list[1:] | first }}{% endfor %}", "needs more than"],
      ["{% for i in range(1000) %}{{ params.text[::-1] | length }}{% endfor %}", "needs more than"],
      ["{% for i in range(1000) %}{{ params.list == params.list + [] }}{% endfor %}", "needs more than"],
      ["{% for i in range(1000) %}{{ params.text == params.text ~ '' }}{% endfor %}", "million characters"],
      ["{% for i in range(1000) %}{{ params.list is in [params.list[:]] }}{% endfor %}", "needs more than"],
      ["{% for i in range(1000) %}{% for j in params.list if false %}{% endfor %}{% endfor %}", "needs more than"],
      ["{% for i in range(1000) %}{{ params.text.split('a') | length }}{% endfor %}", "needs more than"],
      ["{% for i in range(1000) %}{{ params.text.strip('a') }}{% endfor %}", "million characters"],
      ["{% set n = namespace() %}{% set n.n = n %}{{ n }}", "nested deeper"],
      ["{% set n = namespace() %}{% set n.n = n %}{{ n == dict(n) }}{{ n | tojson }}", "nested deeper"],
      ["{% set a = namespace() %}{% set a.n = a %}{% set b = namespace() %}{% set b.n = b %}{{ a == b }}", "nested deeper"],
      ["{{ params.text | replace('', params.text) | length }}", "million characters"],
      ["{{ params.text.replace('a', params.text) | length }}", "million characters"],
      ["{{ params.list | join(params.text) | length }}", "million characters"],
      ["{{ params.list | slice(10 ** 9) }}", "a whole number from 1 to 100,000"],
      ["{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "a macro calls itself without end"],
      [
        "{% macro a() %}{{ caller() }}{% endmacro %}{% macro m() %}{% call a() %}{{ m() }}{% endcall %}{% endmacro %}{{ m() }}",
        "nested deeper",
      ],
      ["{% macro m(x) %}{{ m(x + 1) }}{{ m(x + 1) }}{% endmacro %}{{ m(0) }}", "nested deeper"],
      [`{{ ${"(".repeat(10_000)}1${")".repeat(10_000)} }}`, "nested deeper than 100 levels"],
      [`{{ ${"[".repeat(10_000)} }}`, "nested deeper than 100 levels"],
      [`{{ ${"not ".repeat(10_000)} 1 }}`, "nested deeper than 100 levels"],
      [`{{ ${"- ".repeat(10_000)} 1 }}`, "nested deeper than 100 levels"],
      [`${"{% if 1 %}".repeat(10_000)}`, "nested deeper than 100 levels"],
      [`{{ 1 ${"+ 1".repeat(10_000)} }}`, "nested deeper than 500 levels"],
      [`{{ params${".a".repeat(10_000)} }}`, "nested deeper than 500 levels"],
      [`{{ 1 ${"| string".repeat(10_000)} }}`, "nested deeper than 500 levels"],
      ["{{ '<a'.upper() | striptags }}".replace("'<a'", `'${"<a".repeat(200_000)}'`), ""],
      [`{{ '${" ".repeat(500_000)}x' | trim | striptags(true) }}`, ""],
      [`{{ '${"1".repeat(500_000)}x' | int }}{{ '${"1".repeat(500_000)}x' | float }}`, ""],
      ["{% for i in range(1000) %}{{ params.text | int }}{% endfor %}", "million characters"],
      ["{% for i in range(1000) %}{{ [params.text, params.text] | sort | length }}{% endfor %}", "million characters"],
      [`{{ '${"a@".repeat(200_000)}' | urlize | length }}`, ""],
    ].map(([source = "", reason = ""]) => ({ title: source.slice(0, 80), source, reason })),
  )("$title → $reason", ({ source, reason }) => {
    const begun = performance.now();
    let message = "";
    try {
      render(source);
    } catch (error) {
      message = String(error);
    }
    expect(message).toContain(reason);
    expect(message).not.toContain("call stack");
    // The bounds end it in about a second; without them it is minutes. Generous, for a busy machine.
    expect(performance.now() - begun).toBeLessThan(10_000);
  });

  it("which leaves room for large data", () => {
    expect(render("{% for i in params.list %}{{ loop.index }}: {{ i }}, {% endfor %}").length).toBeGreaterThan(1_000_000);
    expect(
      render(
        "{% set n = namespace(s='') %}{% for i in params.list %}{% set n.s = n.s ~ i ~ ',' %}{% endfor %}{{ n.s | length }}",
      ),
    ).toBe("588890");
    expect(render("{{ params.list | map('string') | sort | last }}")).toBe("99999");
    expect(render("{{ params.text }}{{ params.list }}").length).toBeGreaterThan(1_500_000);
    expect(render(`{{ 'a' ${"~ 'a'".repeat(400)} }}`)).toBe("a".repeat(401));
  });
});

describe("what JavaScript would call by itself, or search again and again", () => {
  const rejects = (source: string, reason: string) => expect(() => render(source)).toThrow(reason);
  it("no function is a member: an object with `then` would be awaited for ever, and `toJSON` called", () => {
    for (const source of [
      "{% set c = cycler(1) %}{{ {'then': c.next} }}",
      "{{ [cycler(1).next] }}",
      "{{ dict(toJSON=cycler(1).next) }}",
      "{% set n = namespace() %}{% set n.then = cycler(1).next %}{{ n }}",
    ])
      rejects(source, "a function cannot be in a list or an object");
  });
  it("comments that never end are searched for once", () => {
    const text = "<!--".repeat(250_000);
    const from = performance.now();
    renderNodes(parseTemplate("{{ x | striptags | length }}"), { x: text }, createBudget());
    expect(performance.now() - from).toBeLessThan(2_000);
  });
});
