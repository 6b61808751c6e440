import { describe, expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import { cellText, cellWidth } from "./cell.ts";
import { formatRecord, formatRows } from "./format-rows.ts";

const rows = [
  { dag_id: "a", is_paused: true, tags: ["x", "y"], start: new Date("2026-01-02T03:04:05Z"), conf: { n: 1 } },
  { dag_id: "바람", is_paused: false, tags: [], start: null, conf: {} },
];
const columns = ["dag_id", "is_paused", "tags", "start"];

describe("formatRows", () => {
  it("aligns a table by what letters take in a terminal", () => {
    expect(formatRows(rows, columns, "table").split("\n")).toEqual([
      "dag_id | is_paused | tags | start",
      "=======+===========+======+=========================".replace(/^=+/, "======="),
      "a      | true      | x, y | 2026-01-02T03:04:05.000Z",
      "바람   | false     |      |",
    ]);
  });

  it("draws no borders in plain, and heads an empty answer", () => {
    expect(formatRows(rows.slice(0, 1), ["dag_id", "is_paused"], "plain")).toBe("dag_id  is_paused\na       true");
    expect(formatRows([], ["dag_id"], "plain")).toBe("dag_id");
    expect(formatRows([], ["dag_id"], "table")).toBe("No data found");
  });

  it("gives machines every key, and the same data in json and yaml", () => {
    const json = JSON.parse(formatRows(rows, columns, "json"));
    expect(json).toEqual(JSON.parse(JSON.stringify(rows)));
    expect(parseYaml(formatRows(rows, columns, "yaml"))).toEqual(json);
    expect(formatRows([], columns, "json")).toBe("[]");
    expect(parseYaml(formatRows([], columns, "yaml"))).toEqual([]);
  });

  it("shows one thing as its properties, or as one object", () => {
    expect(formatRecord({ pool: "p", slots: 3 }, "plain")).toBe(
      "property_name  property_value\npool           p\nslots          3",
    );
    expect(JSON.parse(formatRecord({ pool: "p", slots: 3 }, "json"))).toEqual({ pool: "p", slots: 3 });
  });
});

describe("a cell", () => {
  it("keeps control characters from the terminal", () => {
    expect(cellText("a\nb\u001b[31mred\u0007")).toBe("a\\nb\\x1b[31mred\\x07");
  });

  it("counts wide letters twice and combining ones not at all", () => {
    expect([cellWidth("abc"), cellWidth("바람"), cellWidth("e\u0301"), cellWidth("🌬")]).toEqual([3, 4, 1, 2]);
  });
});
