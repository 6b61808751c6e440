import { expect, it } from "vitest";
import { ALERT_NAMES } from "./compose-alert.ts";
import { checkTemplate, fillTemplate } from "./fill-template.ts";

it("puts a value in once: what it holds is no template", () => {
  const values = { a: "{{ b }}", b: "x" };
  expect(fillTemplate("{{ a }} {{b}} { b }", values, (value) => `[${value}]`)).toBe("[{{ b }}] [x] { b }");
});

it("refuses what it would not fill, and names it", () => {
  const check = (source: string) => () => checkTemplate("[email] subject_template", source, ALERT_NAMES);
  expect(check("{{ ti }} {{ ti.dag_id }} {{exception_html}}")).not.toThrow();
  expect(check("{{ ti.dagid }}")).toThrow("there is no {{ ti.dagid }}");
  expect(check("{{ ti | upper }}")).toThrow('"{{ ti | upper }}" is more than a name');
  expect(check("{% if ti %}x{% endif %}")).toThrow('"{% if ti %}" is more than a name');
});
