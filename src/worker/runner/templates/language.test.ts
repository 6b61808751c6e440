import { describe, expect, it } from "vitest";
import { createBudget } from "./budget.ts";
import { parseTemplate } from "./parse-template.ts";
import { renderNodes } from "./render-nodes.ts";
import { callable } from "./template-function.ts";

const d = { b: 1, a: 2 };
const list = [
  { id: 2, name: "b", on: true },
  { id: 1, name: "A", on: false },
];
const render = (source: string, variables: Record<string, unknown> = { d, list, words: ["b", "A", "c"], html: "<b>x</b> & y" }) =>
  renderNodes(parseTemplate(source), variables, createBudget()).text;

describe("the language of templates is Jinja's", () => {
  it.each([
    ["{{ 1 + 2 * 3 }} {{ 10 - 2 + 3 }} {{ 10 * 3 // 4 }} {{ 7 % 4 }} {{ 2 ** 3 }} {{ -2 | abs }}", "7 11 7 3 8 2"],
    ["{{ 'a' + 'b' }} {{ 'a' ~ 1 + 2 }} {{ [1] + [2] }} {{ '3' * 2 }}", "ab a3 [1,2] 33"],
    ["{{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ 1 == '1' }} {{ 1 === '1' }} {{ d == {} }}", "true false false false false"],
    ["{{ 2 in [1, 2] }} {{ 'b' in d }} {{ 'toString' in d }} {{ 'a' not in 'cat' }}", "true true false false"],
    ["{{ 'a' if 0 else 'b' if 0 else 'c' }}{{ 'x' if 0 }} {{ missing or 'y' }} {{ not missing }}", "c y true"],
    ["{{ {'a': {'b': 1}}.a.b }} {{ (1, 2)[1] }} {{ 'it\\'s' }} {{ {a: none} }}", '1 2 it\'s {"a":null}'],
    ["{{ 3 is odd and 4 is even and 4 is divisibleby(2) and none is none and x is not defined }}", "true"],
    ["{% for x in [1, 2] %}{{ loop.index }}/{{ loop.length }}{{ ',' if not loop.last }}{% else %}no{% endfor %}", "1/2,2/2"],
    ["{% for k in d %}{{ k }}{% endfor %} {% for k, v in d %}{{ k }}{{ v }}{% endfor %}", "ba b1a2"],
    ["{% for x in none %}x{% else %}none{% endfor %}", "none"],
    ["{% set s = 0 %}{% for x in [1, 2] %}{% set s = s + x %}{% set t = x %}{% endfor %}{{ s }}{{ t is defined }}", "0false"],
    ["{% set x %}hi{% endset %}{{ x | upper }}{% filter upper %} you{% endfilter %}", "HI YOU"],
    ["{% macro m(a, b=2) %}{{ a }}+{{ b }} {% endmacro %}{{ m(1) }}{{ m(1, 3) }}{{ m(b=5, a=6) }}", "1+2 1+3 6+5 "],
    [
      "{% macro l(xs) %}{% for x in xs %}{{ caller(x) }}{% endfor %}{% endmacro %}{% call(u) l([1, 2]) %}<{{ u }}>{% endcall %}",
      "<1><2>",
    ],
    ["{% set q = 5 %}{% macro m() %}{{ q }}{% set q = 6 %}{% endmacro %}{{ m() }}{{ q }}", "55"],
    ["{% switch 3 %}{% case 1 %}one{% case 3 %}{% case 4 %}four{% default %}d{% endswitch %}", "four"],
    ["a  {%- if true -%}  b  {%- endif -%}  c {#- no -#} d {{- 1 -}} e", "abcd1e"],
    ["{% raw %}{{ x }}{% endraw %}{%- raw -%} {% y %} {%- endraw -%} .", "{{ x }}{% y %}."],
    ["{{ range(3) }} {{ range(1, 10, 3) }} {{ range(3, 0, -1) }}", "[0,1,2] [1,4,7] [3,2,1]"],
    [
      "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{% set j = joiner('+') %}{{ j() }}1{{ j() }}2",
      "aba1+2",
    ],
    [
      "{{ words | sort | join(',') }} {{ list | sort(attribute='id') | join(',', 'name') }} {{ list | sum('id') }}",
      "A,b,c A,b 3",
    ],
    ["{{ list | groupby('name') | tojson }}", '[["A",[{"id":1,"name":"A","on":false}]],["b",[{"id":2,"name":"b","on":true}]]]'],
    ["{{ list | selectattr('on') | length }}{{ [1, 2, 3] | select('odd') }}{{ [1, 2, 3] | reject('gt', 2) }}", "1[1,3][1,2]"],
    [
      "{{ [1, 2, 3] | batch(2, 0) }} {{ [1, 2, 3] | slice(2, 0) }} {{ d | dictsort }}",
      '[[1,2],[3,0]] [[1,2],[3,0]] [["a",2],["b",1]]',
    ],
    [
      "{{ html | escape }} {{ html | striptags }} {{ 'a b' | urlencode }} {{ d | urlencode }}",
      "&lt;b&gt;x&lt;/b&gt; &amp; y x & y a%20b b=1&a=2",
    ],
    [
      "{{ 'see http://x.org/a, me@x.com' | urlize }}",
      'see <a href="http://x.org/a">http://x.org/a</a> <a href="mailto:me@x.com">me@x.com</a>',
    ],
    [
      "{{ 'ab cd' | title }} {{ 'ab cd' | truncate(3) }} {{ 'ab' | center(4) }}. {{ 'ab' | reverse }} {{ 'abab' | replace('a', 'x', 1) }}",
      "Ab Cd ab cd  ab . ba xbab",
    ],
    [
      "{{ '12px' | int }} {{ 'x' | int(7) }} {{ 'ff' | int(base=16) }} {{ '3.5' | float }} {{ 3.456 | round(2) }} {{ 3.1 | round(method='ceil') }}",
      "0 7 255 3.5 3.46 4",
    ],
    ["{{ 'Größe' | upper }} {{ größe }}", "GRÖSSE 7"],
    ["{{ true }}{{ True }}{{ none }}", "truetruenull"],
    ["{{ false | string }} {{ none | upper }} {{ [1, none] | join(',') }}", "false NULL 1,null"],
    ["{{ 6 / 2 }} {{ '%r' == '%r' }} {{ d | pprint }}", '3 true {\n  "b": 1,\n  "a": 2\n}'],
  ])("%s → %s", (source, expected) => {
    expect(render(source, { d, list, words: ["b", "A", "c"], html: "<b>x</b> & y", größe: 7, True: true })).toBe(expected);
  });

  it.each([
    ["a\n{{ 'x }}", "syntax error: line 2, column 4: the text has no end quote"],
    ["{{ 1 +", "syntax error: line 1, column 7: expected }}, got the end of the template"],
    ["{% if 1 %}", "expected {% endif %}, got the end of the template"],
    ["{{ 1 | uper }}", 'filter not found: uper; did you mean "upper"?'],
    ["{{ 1 is evn }}", 'test not found: evn; did you mean "even"?'],
    ["{% block a %}", "{% block %} is not supported in task templates"],
    ["{% extends 'a' %}", "template not found"],
    ["{% endfor %}", "unknown block tag: endfor"],
    ["{{ `1` }}", 'unexpected "`"'],
    ["\n\n{{ 'a' / 2 }}", `line 3: '/' needs a number, not "a"`],
    ["{{ words - 1 }}", "'-' needs a number, not a list"],
    ["{{ 1 | join(x=2) }}", "the filter join has no parameter 'x': it takes (d='', attribute=None)"],
    // No argument is left out silently.
    ["{{ 'a'.upper(1) }}", "(…).upper() is given 1 arguments by position, 0 at most are possible: it takes no arguments"],
    ["{{ 'a'.split(',', limit=1) }}", "(…).split() has no parameter 'limit': it takes (sep=None, maxsplit=-1)"],
    ["{{ 'a'.replace('a') }}", "(…).replace() lacks 'new': it takes (old, new, count=-1)"],
    ["{{ 'a'.split(',', sep=';') }}", "(…).split() is given 'sep' twice"],
    ["{{ 'a'.split(sep=',', sep=';') }}", "the argument 'sep' is given twice"],
    ["{{ d.get('z', default='x') }}", "d.get() has no parameter 'default': it takes (key, default=None, /)"],
    ["{{ d.keys(1) }}", "d.keys() is given 1 arguments"],
    [
      "{{ words | first(2) }}",
      "the filter first is given 1 arguments by position, 0 at most are possible: it takes no arguments",
    ],
    ["{{ 'a' | upper(x=1) }}", "the filter upper has no parameter 'x'"],
    ["{{ 'a' | replace('b', 'c', 1, 2) }}", "the filter replace is given 4 arguments by position"],
    ["{{ 'a' | center(width=4, fill='x') }}", "the filter center has no parameter 'fill': it takes (width=80)"],
    ["{{ words | map('upper', 1) }}", "the filter upper is given 1 arguments"],
    ["{{ words | map(attribute='a', x=1) }}", "has no parameter 'x'"],
    ["{{ words | map('uper') }}", "filter not found: uper"],
    ["{{ words | select('eq') }}", "the test eq in the filter select lacks 'other'"],
    ["{{ words | select('odd', 1) }}", "the test odd in the filter select is given 1 arguments"],
    ["{{ list | selectattr('id', test='eq') }}", "the filter selectattr has no parameter 'test'"],
    ["{{ list | selectattr('id', 'eq', 1, 2) }}", "the test eq in the filter selectattr is given 2 arguments"],
    ["{{ 1 is odd(1) }}", "the test odd is given 1 arguments"],
    ["{{ 1 is eq(1, 2) }}", "the test eq is given 2 arguments"],
    ["{{ 1 is divisibleby }}", "the test divisibleby lacks 'other'"],
    [
      "{{ range(1, 2, 3, 4) }}",
      "range() is given 4 arguments by position, 3 at most are possible: it takes (start, stop=None, step=1, /)",
    ],
    ["{{ range(stop=3) }}", "range() has no parameter 'stop'"],
    ["{{ range() }}", "range() lacks 'start'"],
    ["{{ cycler('a').next(1) }}", "cycler(…).next() is given 1 arguments"],
    ["{{ joiner(',', 1) }}", "joiner() is given 2 arguments"],
    ["{{ joiner(separator=',') }}", "joiner() has no parameter 'separator'"],
    ["{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "m() is given 2 arguments by position, 1 at most are possible: it takes (a)"],
    ["{% macro m(a) %}{% endmacro %}{{ m(b=2) }}", "m() has no parameter 'b': it takes (a)"],
    ["{% macro m(a, a) %}{% endmacro %}", "the parameter 'a' stands twice"],
    ["{% for i in [1] %}{{ loop.cycle(a=1) }}{% endfor %}", "loop.cycle() has no parameter 'a'"],
    ["{{ 'a'.upper(*words) }}", "arguments cannot be given as *list or **dict"],
    ["{{ words | join(d='-', nope) }}", "an argument by position stands after one by name"],
    ["{{ 'a'.replace('a', nope) }}", "'nope' is undefined"],
    // What Python refuses has no silent value.
    ["{{ 1 + '2' }}", `'+' needs a number, not "2": join texts with ~, or make numbers of them with | int`],
    ["{{ '3' - 1 }}", `'-' needs a number, not "3": make a number of it with | int or | float`],
    ["{{ none * 2 }}", "'*' needs a number, not null"],
    ["{{ - 'a' }}", "'-' needs a number"],
    ["{{ 'a' * 'b' }}", "'*' repeats a text by a whole number"],
    ["{{ 1 / 0 }}", "'/' divides by zero"],
    ["{{ 1 % 0 }}", "'%' divides by zero"],
    ["{{ (-8) ** 0.5 }}", "is not a number"],
    ["{{ '10' < 9 }}", `'<' cannot order "10" and 9: make a number of the text with | int or | float`],
    ["{{ none < 9 }}", "'<' cannot order null and 9"],
    ["{{ nope < 9 }}", "'<' cannot order a value that is undefined and 9"],
    ["{{ [1, 'a'] | sort }}", "the filter sort cannot order"],
    ["{{ [1, 'a'] | max }}", "the filter max cannot order"],
    ["{{ 1 in 'a1' }}", "'in' a text needs a text on its left, not 1"],
    ["{{ 9007199254740992 }}", "larger than a number can be here, 2 ** 53 - 1: write it as a text, '9007199254740992'"],
    ["{{ 12345678901234567890 }}", "write it as a text"],
    ["{{ 9007199254740991 + 1 }}", "is not exact"],
    ["{{ 3 ** 40 }}", "is not exact"],
    ["{{ '12345678901234567890' | int }}", "is not exact"],
    ["{{ [9007199254740991, 1] | sum }}", "is not exact"],
    ["{{ 'u\\u00g9' }}", "the escape \\u in the text is incomplete or unknown"],
    ["{% set a, b = 1 %}", "a, b need a list of 2 elements, not 1"],
    ["{% set a, b = 1, 2, 3 %}", "a, b need 2 elements, but there are 3"],
    ["{% for a, b in [[1]] %}{% endfor %}", "a, b need 2 elements, but there are 1"],
    ["{% set d.x = 1 %}", "'d.x' cannot be set, because d is no namespace: write {% set d = namespace(x=…) %} before"],
    ["{{ words.append(1) }}", "lists and objects are not changed by templates: write {% set x = x + [value] %}"],
    ["{{ d.update({'a': 1}) }}", "write {% set x = dict(x, key=value) %}"],
    ["{{ len(words) }}", "'len' is called, but it is not a function (write x | length)"],
    ["{% for x in words recursive %}{% endfor %}", "write a macro that calls itself"],
    ["{% for x in words %}{% break %}{% endfor %}", "{% break %} is not supported"],
    ["{{ '%s %s' % 'a' }}", "has more places than it is given values, 1"],
    ["{{ '%s' % ('a', 'b') }}", "has 1 places, but is given 2 values"],
    ["{{ '%d' % 'a' }}", `%d needs a number, not "a"`],
    ["{{ '%r' % 'a' }}", "%r is not a format that is known here"],
    ["{{ '100%' % 1 }}", "write %% for the character %"],
    ["{{ '{} {}'.format(1) }}", "needs a value for {}"],
    ["{{ '{}'.format(1, 2) }}", "has no place for 1"],
    ["{{ '{}'.format(1, a=2) }}", "has no place for a"],
    ["{{ '{0.a}'.format(d) }}", "only {}, {0} and {name} with a width are known here"],
    ["{{ '{0[a]}'.format(d) }}", "only {}, {0} and {name}"],
    ["{{ '{a!r}'.format(a=1) }}", "only {}, {0} and {name}"],
    ["{{ words['a':] }}", "the bounds of a slice are whole numbers"],
    ["{{ words[::0] }}", "the step of a slice cannot be 0"],
    ["{{ d[1:] }}", "a slice [a:b] is of a text or a list, not of an object"],
    ["{{ [d] | unique }}", "the filter unique compares texts and numbers"],
    ["{{ list | map(attribute='nope') }}", "the filter map finds no 'nope' in an element"],
    ["{{ list | map(attribute='constructor') }}", "finds no 'constructor'"],
    ["{{ d | attr('constructor') }}", "'… | attr' is undefined"],
    ["{{ d | attr('get') }}", "'… | attr' is undefined"],
    ["{{ 3 | round(1, 'up') }}", "the filter round has the methods common, ceil and floor"],
    ["{{ 'a'.rjust(3, 'ab') }}", "the fill character must be one character"],
    ["{% for x in 5 %}{% endfor %}", "{% for %} needs a list, a text or an object, not 5"],
    ["{{ nope + 1 }}", "'nope' is undefined"],
  ])("%s fails with: %s", (source, message) => {
    expect(() => render(source)).toThrow(message);
  });
});

describe("templates call functions of ours only", () => {
  const called: string[] = [];
  const theirs = Object.assign(() => called.push("call"), { toString: () => called.push("toString") });
  class Theirs {
    secret = 1;
    get text() {
      called.push("get");
      return 1;
    }
    run() {
      called.push("run");
    }
  }
  const variables = {
    theirs,
    object: { theirs, toString: theirs, valueOf: theirs },
    instance: new Theirs(),
    ours: { run: callable("", () => "ran") },
  };

  it.each([
    "{{ theirs() }}",
    "{{ object.theirs() }}",
    "{{ object.toString() }}",
    "{{ object + 1 }}",
    "{{ object ~ '' }}{{ 1 / 0 - object }}",
    "{{ object == 'x' }}{{ object < 1 }}{{ object in 'abc' }}",
    "{{ 'abc'.includes(object) }}",
    "{{ ours[object] }}",
    "{{ instance.run() }}",
    "{{ instance.text }}",
    "{{ instance.constructor }}",
    "{{ theirs.name }}",
    "{{ theirs }}",
    "{% for x in theirs %}{% endfor %}",
    "{{ [object, object] | sort | length }}{{ [1] | join(object) }}",
  ])("%s", (source) => {
    try {
      render(source, variables);
    } catch {
      // Most fail; none may call.
    }
    expect(called).toEqual([]);
  });

  it("and an object may have any key", () => {
    expect(render("{{ {'__proto__': 1, 'constructor': 2} }}")).toBe('{"__proto__":1,"constructor":2}');
    expect(render("{% set __proto__ = {'x': 1} %}{{ x is defined }}{{ {}.x is defined }}")).toBe("falsefalse");
    expect(render("{{ ours.run() }}", variables)).toBe("ran");
  });
});
