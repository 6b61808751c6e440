import { describe, expect, it } from "vitest";
import { createBudget } from "./budget.ts";
import { parseTemplate } from "./parse-template.ts";
import { renderNodes } from "./render-nodes.ts";

const render = (source: string) => renderNodes(parseTemplate(source), {}, createBudget()).text;

/** Recorded from Jinja 3.1 on Python 3. */
describe("a template means what it means in Jinja", () => {
  it.each([
    ["{{ [{'a':1},{'a':2}] | selectattr('a','equalto',2) | list | tojson }}", '[{"a":2}]'],
    ["{{ [{'a':1},{'a':2}] | rejectattr('a','eq',2) | map(attribute='a') | first }}", "1"],
    [
      "{{ [{'a':1},{'a':2}] | selectattr('a','gt',1) | list | length }}{{ [{'a':1},{'a':2}] | selectattr('a','in',[1,2]) | list | length }}",
      "12",
    ],
    [
      "{{ [{'a':1},{'a':none}] | selectattr('a','none') | list | length }}{{ [{'a':1},{'a':2}] | rejectattr('a','ne',2) | list | length }}",
      "11",
    ],
    [
      "{{ [{'a':0},{'b':2}] | selectattr('a','defined') | list | length }}{{ [{'a':0},{'a':2}] | selectattr('a') | list | length }}",
      "11",
    ],
    [
      "{{ [1,2,3] | select('gt',1) | list | length }}{{ [1,2,3] | reject('le',1) | list | length }}{{ [1,2] | select('divisibleby',2) | first }}",
      "222",
    ],
    [
      "{{ '/x/'.strip('/') }} {{ '/x/'.rstrip('/') }} {{ '007'.lstrip('0') }} {{ 'xxaxx' | trim('x') }} [{{ ' a '.lstrip() }}]",
      "x /x 7 a [a ]",
    ],
    [
      "{{ 'a,b,c'.split(',', 1) | join('|') }} {{ 'a,b,c'.split(sep=',', maxsplit=1) | join('|') }} {{ ' a  b c '.split() | join('|') }} {{ ' a b  c '.split(none, 1) | join('|') }}",
      "a|b,c a|b,c a|b|c a|b  c ",
    ],
    [
      "{{ 'a/b/c'.rsplit('/', 1) | join('|') }} {{ ' a  b  c '.rsplit(none, 1) | join('|') }} {{ ''.split() | length }} {{ 'abc'.split(',') | join('|') }}",
      "a/b|c  a  b|c 0 abc",
    ],
    ["{{ 'aaa'.replace('a','b',1) }} {{ 'aaa'.replace('a','b') }} {{ 'aab' | replace('a','x',count=1) }}", "baa bbb xab"],
    [
      "{% if [] %}t{% else %}f{% endif %}{% if {} %}t{% else %}f{% endif %}{% if '0' %}t{% else %}f{% endif %}{% if 0 %}t{% else %}f{% endif %}{% if '' %}t{% else %}f{% endif %}{{ 'x' if [0] else 'y' }}",
      "fftffx",
    ],
    ["{{ [] or 'e' }} {{ not {} and 'n' }} {{ [] | default('d', true) }} {{ [[], [1]] | select | list | length }}", "e n d 1"],
    [
      "{% for a, b in [[1,'1'],[0,false],['',false],[none,0],[[1],[1]],[[1],[2]],[{'a':[1]},{'a':[1]}],[{'a':1},{'b':1}],[1,true],[1.0,1]] %}{{ 'y' if a == b else 'n' }}{% endfor %}",
      "nynnynynyy",
    ],
    [
      "{{ 'y' if [1] in [[1], [2]] else 'n' }}{{ 'y' if 1 in {'1': 2} else 'n' }}{{ 'y' if '1' in {'1': 2} else 'n' }}{{ 'y' if 1 in ['1'] else 'n' }}{{ 'y' if true in [1] else 'n' }}",
      "ynyny",
    ],
    [
      "{{ 'y' if [1,2] < [1,3] else 'n' }}{{ 'y' if [1] < [1,0] else 'n' }}{{ 'y' if 'B' < 'a' else 'n' }}{{ 'y' if 2 > true else 'n' }}",
      "yyyy",
    ],
    ["{{ -7 % 3 }} {{ 7 % -3 }} {{ -7 // 2 }} {{ 7 // -2 }} {{ 6 % 3 }} {{ -6 % 3 }} {{ 5.5 % 2 }}", "2 -2 -4 -4 0 0 1.5"],
    ["{% set x = 0 %}{% for i in [1,2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}", "120"],
    ["{% set ns = namespace(n=0, a='z') %}{% for i in [1,2] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}{{ ns.a }}", "3z"],
    [
      "{{ 'u\\u00e9' }}|{{ 'tab\\there' }}|{{ 'back\\\\slash' }}|{{ '\\x41\\101' }}|{{ '\\d+' }}|{{ 'q\\'s' }}|{{ '\\U0001f600' }}",
      "ué|tab\there|back\\slash|AA|\\d+|q's|😀",
    ],
    ["{{ 9007199254740991 }} {{ 1_000 }} {{ 1.5e3 + 0.5 }} {{ 2 ** 10 }}", "9007199254740991 1000 1500.5 1024"],
    [
      "{{ '2026-11-20'[:4] }} {{ '2026-11-20'[5:7] }} {{ '2026-11-20'[-2:] }} {{ 'abc'[::-1] }} {{ 'abcdef'[1:5:2] }} {{ 'abc'[5:] }}| {{ 'abc'[-1] }}{{ 'abc'[:-1] }} {{ 'abcdef'[4:1:-2] }}",
      "2026 11 20 cba bd | cab ec",
    ],
    [
      "{{ [1,2,3][1:] | tojson }} {{ [1,2,3][::-1] | tojson }} {{ [1,2,3][-1] }} {{ [1,2,3][:] | length }} {{ (1,2,3)[:2] | sum }}",
      "[2,3] [3,2,1] 3 3 3",
    ],
    [
      "{{ '%s-%05d' | format('x', 3) }} {{ '%(a)s' | format(a=1) }} {{ '%s/%s' % ('a', 'b') }} {{ '%02d' % 3 }} {{ '%.2f%%' % 1.005 }} {{ '%5s|%-5s|' % ('a', 'b') }} {{ '%x %o %e %g' % (255, 8, 12345.678, 0.00001) }} {{ '%+d % d' % (1, 2) }} {{ '%(n)s' % {'n': 'v'} }} {{ '%s' % 'one' }} {{ '%s' % ('t',) }}",
      "x-00003 1 a/b 03 1.00%     a|b    | ff 10 1.234568e+04 1e-05 +1  2 v one t",
    ],
    [
      "{{ '{}-{}'.format(1, 'b') }} {{ '{1}{0}'.format('a','b') }} {{ '{n:>5}|{n:<5}|{n:^5}|{n:*^5}'.format(n='x') }} {{ '{:02d} {:.2f} {:,} {:05.1f} {:x} {:%} {:+d} {{}}'.format(3, 2.345, 1234567, 2.25, 255, 0.5, 1) }} {{ '{:,.2f}'.format(1234567.891) }}",
      "1-b ba     x|x    |  x  |**x** 03 2.35 1,234,567 002.2 ff 50.000000% +1 {} 1,234,567.89",
    ],
    ["{{ 'ab' * 2 }}{{ 2 * 'c' }} {{ '-' * 0 }}{{ ([1] * 3) | tojson }}", "ababcc [1,1,1]"],
    [
      "{{ [{'a':1},{'a':2}] | map(attribute='a') | list | tojson }} {{ ['a','b'] | map('upper') | join('-') }} {{ ['a'] | map('replace', 'a', 'b') | first }} {{ [{'a':1},{}] | map(attribute='a', default='x') | join(',') }} {{ [[1,2]] | map('join', '+') | first }} {{ ['1'] | map('int') | sum }} {{ [{'a':{'b':3}}] | map(attribute='a.b') | first }}",
      "[1,2] A-B b 1,x 1+2 1 3",
    ],
    [
      "{{ [1,1,2] | unique | list | tojson }} {{ ['a','A','b'] | unique | join }} {{ ['a','A'] | unique(case_sensitive=true) | join }} {{ [{'i':1},{'i':1}] | unique(attribute='i') | list | length }}",
      "[1,2] ab aA 1",
    ],
    [
      "{{ [3,1,2] | min }}{{ [3,1,2] | max }} {{ ['b','A'] | min }}{{ ['b','A'] | max }} {{ [{'a':2},{'a':5}] | max(attribute='a') | tojson }}",
      '13 Ab {"a":5}',
    ],
    [
      "{{ [1,2] | count }} {% for k, v in {'a':1,'b':2} | items %}{{ k }}{{ v }}{% endfor %} {{ 1 + 4 is odd | int }}{{ 'y' if 'a' ~ 'b' is upper else 'n' }}",
      "2 a1b2 1y",
    ],
    [
      "{{ 'foo bar baz' | wordwrap(5) }}|{{ 'abcdefghij kl' | wordwrap(4) }}|{{ 'a  b' | wordwrap(10) }}|{{ 'well-known thing' | wordwrap(6) }}|{{ 'abcdefgh' | wordwrap(4, false) }}|{{ 'one two\n\nthree' | wordwrap(4, wrapstring='/') }}|{{ 'ab cdefghijkl' | wordwrap(5) }}",
      "foo\nbar\nbaz|abcd\nefgh\nij\nkl|a  b|well-\nknown\nthing|abcdefgh|one/two//thre/e|ab cd\nefghi\njkl",
    ],
    [
      "{{ 13000 | filesizeformat }} {{ 1 | filesizeformat }} {{ 999 | filesizeformat }} {{ 1000 | filesizeformat }} {{ 5000000 | filesizeformat(true) }} {{ 1000000 | filesizeformat }}",
      "13.0 kB 1 Byte 999 Bytes 1.0 kB 4.8 MiB 1.0 MB",
    ],
    ["{{ '2024-01-31T01:02:03+00:00'[:10] | replace('-', '') }}", "20240131"],
    [
      "{% for i in range(5) if i % 2 %}{{ i }}{{ loop.length }}{{ ',' if not loop.last }}{% else %}none{% endfor %}{% for i in [1] if i > 1 %}x{% else %}none{% endfor %}",
      "12,32none",
    ],
    [
      "{% set b, c = 2, 3 %}{{ b + c }}{% set d = 1, 2 %}{{ d | length }}{% set e %}x{% endset %}{{ e }}{% set f | upper %}x{% endset %}{{ f }}",
      "52xX",
    ],
    [
      "{% set a = 0 %}{% with a = 1, b = 2 %}{{ a }}{{ b }}{% set c = 3 %}{{ c }}{% endwith %}{{ a }}{{ c is defined and 'leak' or 'no' }}{% with %}{{ a }}{% endwith %}",
      "1230no0",
    ],
    [
      "{% for i in 'abc' %}{{ loop.cycle('x','y') }}{{ loop.previtem is defined and loop.previtem or '^' }}{{ loop.nextitem | default('$') }}{{ loop.depth }}{{ loop.depth0 }} {% endfor %}",
      "x^b10 yac10 xb$10 ",
    ],
    ["{% for i in [1,1,2] %}{{ 'y' if loop.changed(i) else 'n' }}{% endfor %}", "yny"],
    [
      "{% if 'a' is in ['a'] and 'a' is in(['a']) and 3 is not in [1] and [] is sequence and 4 is divisibleby 2 and 1 is eq 1 and 2 is gt 1 and 1 is sameas 1 and true is true and 1 is integer and 1.5 is float and false is boolean and {} is mapping and 'a' is not number %}y{% endif %}{{ 'a' if 4 is divisibleby 3 else 'b' }}",
      "yb",
    ],
    ["{{ dict(a=1).a }}{{ dict([['k', 2]]).k }}{{ dict({'a': 1}, b=2) | length }}", "122"],
    [
      "{% if '5'.isdigit() and not 'a5'.isdigit() and not ''.isdigit() and 'ab'.isalpha() and 'AB'.isupper() %}y{% endif %}{{ 'abc'.find('c') }}{{ 'abc'.find('z') }} {{ 'abca'.count('a') }} {{ 'a=b=c'.partition('=') | join('|') }} {{ 'a=b=c'.rpartition('=') | join('|') }} {{ 'a\nb\n'.splitlines() | join('|') }}",
      "y2-1 2 a|=|b=c a=b|=|c a|b",
    ],
    [
      "{{ \"they're ab-cd\".title() }} {{ 'ab-cd (ef' | title }} {{ '5'.zfill(3) }} {{ '-5'.zfill(4) }} [{{ 'a'.ljust(3) }}] [{{ 'a'.rjust(3, '.') }}] [{{ 'a'.center(4) }}] {{ ','.join(['a','b']) }} {{ 'abc'.startswith(('x','a')) and 'y' }}",
      "They'Re Ab-Cd Ab-Cd (Ef 005 -005 [a  ] [..a] [ a  ] a,b y",
    ],
    [
      "{{ '3.9' | int }} {{ 3.9 | int }} {{ '12abc' | int }} {{ '0x10' | int(base=16) }} {{ '' | int }} {{ 'z' | int(7) }} {{ none | int }} {{ ' 42 ' | int }} {{ '-3' | int }} {{ true | int }}",
      "3 3 0 16 0 7 0 42 -3 1",
    ],
    [
      "{{ 2.567 | round(2) }} {{ 2.5 | round | int }} {{ 3.5 | round | int }} {{ 2.567 | round(1,'floor') }} {{ 2.1 | round(method='ceil') | int }} {{ -2.5 | round | int }}",
      "2.57 2 4 2.5 3 -2",
    ],
    [
      "{{ 'foo bar baz qux' | truncate(9) }} {{ 'foo bar baz' | truncate(9, true) }} {{ 'foo bar baz qux' | truncate(9, true, leeway=0) }} {{ 'foo bar baz qux' | truncate(9, end='!', leeway=0) }}",
      "foo... foo bar baz foo ba... foo bar!",
    ],
    [
      "{{ '/a b' | urlencode }} {{ 'a&b=c' | urlencode }} {{ {'k': 'a b/c'} | urlencode }} {{ [['a', 1]] | urlencode }}",
      "/a%20b a%26b%3Dc k=a+b%2Fc a=1",
    ],
    [
      "{{ 'a\n\nb' | indent(2) }}|{{ 'a\n\nb' | indent(2, true, true) }}|{{ 'a\nb' | indent('> ') }}",
      "a\n\n  b|  a\n  \n  b|a\n> b",
    ],
    [
      "{% for g in [{'a':'y','b':2},{'a':'x','b':3},{'a':'y','b':4}] | groupby('a') %}{{ g.grouper }}:{{ g.list | map(attribute='b') | join(',') }};{% endfor %}{% for k, l in [{'a':1}] | groupby('a') %}{{ k }}{{ l | length }}{% endfor %}",
      "x:3;y:2,4;11",
    ],
    [
      "{{ ['b','A','c'] | sort | join }} {{ ['b','A'] | sort(case_sensitive=true) | join }} {{ [1,3,2] | sort(reverse=true) | join }} {{ {'b': 1, 'a': 2} | dictsort(reverse=true) | map('first') | join }}",
      "Abc Ab 321 ba",
    ],
    [
      "{{ 'a' 'b' }}{{ 'a' if 1 is defined }}{{ {'a': 1}.get('z', 'd') }}{{ {'a': none}.get('a', 'd') | default('n', true) }}{{ {'a': 1}.keys() | list | join }}{{ {'a': 1} | list | join }}",
      "abadnaa",
    ],
    [
      "{% set c = cycler('a', 'b') %}{{ c.current }}{{ c.next() }}{{ c.next() }}{{ c.next() }}{% set j = joiner() %}{{ j() }}1{{ j() }}2",
      "aaba1, 2",
    ],
    ["{% macro m(a, b='z') %}{{ a }}{{ b }}{% endmacro %}{{ m('x') }}{{ m('x', b='y') }}{{ m(b=1, a=2) }}", "xzxy21"],
    ["{% do [1] %}x{%+ if true %}y{% endif %}", "xy"],
    [
      "{{ 'a b c' | wordcount }}{{ '' | wordcount }} {{ 'xay'.removeprefix('x').removesuffix('y') }} {{ range(5)[1:3] | list | tojson }}",
      "30 a [1,2]",
    ],
    ["{{ 1 if 2 > 1 and not 0 }} {{ (1,) | length }} {{ () | length }} {{ 'a,b'.split(',')[-1] }}", "1 1 0 b"],
    ["{{ [1,2,3] | batch(2, 'x') | list | tojson }} {{ [1,2,3] | slice(2) | list | tojson }}", '[[1,2],[3,"x"]] [[1,2],[3]]'],
    ["{{ 'x' | default('y', boolean=true) }} {{ '' | default('y') }}|{{ none | default('y', true) }}", "x |y"],
    [
      "{{ 'a-b_c'.title() }} {{ 'aBC'.capitalize() }} {{ 'hello world' | title }} {{ 'ab' | capitalize }}",
      "A-B_C Abc Hello World Ab",
    ],
    ["{{ '%5.1f|%-8s|%08.3f' % (3.14159, 'ab', -2.5) }}", "  3.1|ab      |-002.500"],
    ["{{ '%i%u' % (1, 2) }}", "12"],
    ["{{ '%s' % 1.5 }} {{ '%d' % 3.9 }} {{ '%.3s' % 'abcdef' }}", "1.5 3 abc"],
    [
      "{{ '{:>8.3f}|{:<6}|{:^7d}|{:#x}|{:b}|{:e}|{:g}|{:.3}|{:_}'.format(3.14159, 42, 42, 255, 5, 1234.5, 0.00012, 3.14159, 1000000) }}",
      "   3.142|42    |  42   |0xff|101|1.234500e+03|0.00012|3.14|1_000_000",
    ],
    ["{{ '{:010.2f}|{:+}|{: d}|{:.0%}|{:=+6d}|{:s}'.format(-3.5, 5, 5, 0.256, 7, 'q') }}", "-000003.50|+5| 5|26%|+    7|q"],
    ["{{ 'abc' | first }}{{ 'abc' | last }} {{ [3,4] | last }} {{ {'a':1} | first }}", "ac 4 a"],
    ["{{ 'a\tb\nc'.split() | join(',') }} {{ 'abc'.index('c') }} {{ 'aXbX'.rfind('X') }}", "a,b,c 2 3"],
    ["{{ 'A' < 'a' and 1 }} {{ (1 < 2) + 1 }} {{ true + true }} {{ 3 - true }}", "1 2 2 2"],
    [
      "{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}{% for i in [1] %}{% if i %}{% set x = 3 %}{{ x }}{% endif %}{% endfor %}{{ x }}",
      "232",
    ],
    ["{% macro f(x) %}{% set y = x %}{{ y }}{% endmacro %}{{ f(1) }}{{ y is defined and 'leak' or 'ok' }}", "1ok"],
    ["{% set x = 1 %}{% macro f() %}{{ x }}{% endmacro %}{% set x = 2 %}{{ f() }}", "2"],
    [
      "{% for x in [1,2] %}{% for y in [3,4] %}{{ loop.index }}{{ x }}{{ y }} {% endfor %}{{ loop.index }}{% endfor %}",
      "113 214 1123 224 2",
    ],
    ["{% for x in [3,1,2] | sort if x > 1 %}{{ x }}{{ loop.last and '!' or ',' }}{% endfor %}", "2,3!"],
    [
      "{{ 'abc' is in 'xabcx' and 'y' }}{{ 'z' is not in 'abc' and 'y' }}{{ (4 is even) and 'y' }}{{ 'AB' is upper and 'y' }}{{ 3 is not divisibleby 2 and 'y' }}",
      "yyyyy",
    ],
    [
      "{{ [1,2,3,4] | select('odd') | map('string') | join('-') }} {{ ['a','',none] | select | list | length }} {{ [1,2] | reject('eq', 1) | first }} {{ ['b','a'] | map('upper') | sort | join }}",
      "1-3 1 2 AB",
    ],
    [
      "{{ {'b':2,'a':1} | dictsort(by='value') | map('join', '=') | join('&') }} {{ {'b':2,'A':1} | dictsort | map('first') | join }}",
      "a=1&b=2 Ab",
    ],
    [
      "{{ [{'n':'x','v':1},{'n':'y','v':2}] | selectattr('v', 'ge', 2) | map(attribute='n') | join }} {{ [{'a':{'b':1}}] | selectattr('a.b', 'eq', 1) | list | length }}",
      "y 1",
    ],
    [
      "{{ [{'a':2},{'a':1}] | sort(attribute='a') | map(attribute='a') | join }} {{ [[2,'x'],[1,'y']] | sort(attribute=0) | map('last') | join }} {{ [[2,'x'],[1,'y']] | map(attribute=1) | join }} {{ [[1,2]] | map('sum') | first }}",
      "12 yx xy 3",
    ],
    ["{{ 'It''s' }} {{ \"a\\\"b\" }} {{ 'a\\\\b' }}", 'Its a"b a\\b'],
    ["{{ 'a b  c' | replace(' ', '') }} {{ 'x' * 3 ~ 'y' }} {{ 'a' ~ 1 ~ 2.5 }}", "abc xxxy a12.5"],
    [
      "{{ 3.0 | round(1) + 0.25 }} {{ 1234.5678 | round(-2) | int }} {{ 0.125 | round(2) }} {{ 42.7 | int }}",
      "3.25 1200 0.12 42",
    ],
    [
      "{{ 'ab\ncd' | indent }}|{{ 'ab\ncd' | indent(first=true) }}|{{ ' x ' | trim }}|{{ '..x..' | trim('.') }}",
      "ab\n    cd|    ab\n    cd|x|x",
    ],
    ["{{ '<p>a  <b>b</b></p>' | striptags }} {{ 'a<b' | e }} {{ \"'\" | escape }}", "a b a&lt;b &#39;"],
    ["{% set s = 'abc' %}{{ s[0] }}{{ s[-1] }}{{ s[1:] }}{{ s[:-1] }}{{ s[0:2] }}{{ s[-10:10] }}{{ s[10:] }}", "acbcabababc"],
    ["{{ 'abc' | list | join('|') }} {{ ('a', 'b') | join }}", "a|b|c ab"],
    ["{{ 'a' in ['A'|lower] and 'y' }}{{ not ('a' in 'b') and 'n' }}", "yn"],
    [
      "{{ {'a': 1}.items() | list | first | join }} {% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %} {{ {'a': 1}.values() | list | first }}",
      "a1 a1 1",
    ],
    [
      "{{ 'foo' | center(9) }}|{{ 'foo' | center(8) }}|{{ 'foo'.center(8) }}|{{ 'foo'.center(6, '*') }}|{{ 'fo'.center(5, '*') }}",
      "   foo   |  foo   |  foo   |*foo**|**fo*",
    ],
    ["{{ 'y' if true is number else 'n' }}", "y"],
  ])("%s → %s", (source, expected) => {
    expect(render(source)).toBe(expected);
  });
});
