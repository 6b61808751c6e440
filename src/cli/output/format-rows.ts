import { stringify as toYaml } from "yaml";
import { cellText, cellWidth } from "./cell.ts";

export type OutputFormat = "table" | "json" | "yaml" | "plain";

/** One item with snake_case keys; the order of the keys is the order of the columns. */
export type Row = Readonly<Record<string, unknown>>;

/**
 * Formats rows without a final line break. `columns` are the header of an empty table; json and yaml contain all keys of a row.
 */
export function formatRows(rows: readonly Row[], columns: readonly string[], format: OutputFormat): string {
  switch (format) {
    case "json":
      return JSON.stringify(rows, null, 2);
    case "yaml":
      return toYaml(plainData(rows)).trimEnd();
    case "table":
      return rows.length === 0 ? "No data found" : drawTable(rows, columns, " | ", "=+=");
    case "plain":
      return drawTable(rows, columns, "  ", null);
  }
}

/** Formats one item: a table of its properties, or one object. */
export function formatRecord(record: Row, format: OutputFormat): string {
  if (format === "json") return JSON.stringify(record, null, 2);
  if (format === "yaml") return toYaml(plainData(record)).trimEnd();
  const rows = Object.entries(record).map(([name, value]) => ({ property_name: name, property_value: value }));
  return formatRows(rows, ["property_name", "property_value"], format);
}

// YAML would write a Date as its own timestamp type; all formats must contain the same text.
function plainData(data: unknown): unknown {
  return JSON.parse(JSON.stringify(data));
}

function drawTable(rows: readonly Row[], columns: readonly string[], separator: string, rule: string | null): string {
  const cells = rows.map((row) => columns.map((column) => cellText(row[column])));
  const widths = columns.map((column, index) =>
    cells.reduce((widest, line) => Math.max(widest, cellWidth(line[index] ?? "")), cellWidth(column)),
  );
  const draw = (line: readonly string[]) =>
    line
      .map((text, index) => text + " ".repeat((widths[index] ?? 0) - cellWidth(text)))
      .join(separator)
      .trimEnd();
  const header = [draw(columns)];
  if (rule !== null) header.push(widths.map((width) => "=".repeat(width)).join(rule));
  return [...header, ...cells.map(draw)].join("\n");
}
