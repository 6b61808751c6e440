/** The value of `--name value` on the command line. */
export function option(name, fallback) {
  const at = process.argv.indexOf(`--${name}`);
  return at === -1 ? fallback : (process.argv[at + 1] ?? fallback);
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)];
}

/** One row of the table: the median of the values, their range, and whether it meets the target. */
export function rowOf(what, unit, values, { atMost, atLeast } = {}, digits = 2) {
  const value = median(values);
  const target = atMost !== undefined ? `≤ ${atMost}` : atLeast !== undefined ? `≥ ${atLeast}` : "";
  const reached = atMost !== undefined ? value <= atMost : atLeast !== undefined ? value >= atLeast : undefined;
  return {
    what,
    unit,
    value: value.toFixed(digits),
    range: `${Math.min(...values).toFixed(digits)} – ${Math.max(...values).toFixed(digits)}`,
    target,
    reached,
  };
}

export function table(rows) {
  const head = ["row", "what", "median", "min – max", "unit", "target", ""];
  const lines = rows.map((r) => [
    r.row,
    r.what,
    r.value,
    r.range,
    r.unit,
    r.target,
    r.reached === undefined ? "" : r.reached ? "reached" : "MISSED",
  ]);
  const widths = head.map((title, at) => Math.max(title.length, ...lines.map((line) => String(line[at]).length)));
  const draw = (line) => `| ${line.map((cell, at) => String(cell).padEnd(widths[at])).join(" | ")} |`;
  return [draw(head), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...lines.map(draw)].join("\n");
}
