// Generates docs/options.md, docs/errors.md, docs/metrics.md and the executor tables from the compiled tables, and the index of ADRs. --check only reports whether they are current.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MEANINGLESS_OPTIONS, OPTIONS } from "../dist/config/index.js";
import { EXECUTOR_KINDS } from "../dist/main/executors.js";
import { prometheusName } from "../dist/main/metrics/prometheus-sink.js";
import { ERROR_CODES } from "../dist/platform/error-codes.js";
import { METRICS } from "../dist/platform/index.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const pages = {
  "docs/options.md": optionsPage(),
  "docs/errors.md": errorsPage(),
  "docs/metrics.md": metricsPage(),
  "docs/adr/README.md": adrIndex(),
  "docs/executors.md": withTable("docs/executors.md", executorsTable()),
  "README.md": withTable("README.md", executorsSummary()),
};
const check = process.argv.includes("--check");
for (const [path, text] of Object.entries(pages)) {
  if (!check) writeFileSync(join(root, path), text);
  else if (readCurrent(path) !== text) {
    console.error(`${path} is not current. Run: node scripts/generate-docs.mjs`);
    process.exitCode = 1;
  }
}

function readCurrent(path) {
  try {
    return readFileSync(join(root, path), "utf8");
  } catch {
    return "";
  }
}

/** The current page with its table between the markers replaced. */
function withTable(path, lines) {
  const [begin, end] = ["<!-- executors: generated from src/main/executors; do not edit -->", "<!-- /executors -->"];
  const page = readCurrent(path);
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${path} lacks the markers of its table of executors`);
  return `${page.slice(0, from + begin.length)}\n${lines.join("\n")}\n${page.slice(to)}`;
}

function executorsTable() {
  const rows = Object.entries(EXECUTOR_KINDS).map(([name, { docs }]) => {
    const more = docs.page === null ? "below" : `[executors/${docs.page}](executors/${docs.page})`;
    return [`\`${name}\``, docs.runs, docs.goodFor, docs.notFor, more];
  });
  return table(["executor", "runs a task", "good for", "not for", "more"], rows);
}

function executorsSummary() {
  const rows = Object.entries(EXECUTOR_KINDS).map(([name, { docs }]) => {
    const setUp = docs.page === null ? "nothing" : `[docs/executors/${docs.page}](docs/executors/${docs.page})`;
    return [`\`${name}\``, docs.runs, setUp];
  });
  const several = "`LocalExecutor,heavy:EcsExecutor,…`";
  rows.push([
    several,
    "several executors: each task selects one, the first is the default",
    "[docs/executors.md](docs/executors.md)",
  ]);
  return table(["`[core] executor`", "a task runs", "setup"], rows);
}

/** Pads the cells, as a formatter does. */
function table(head, rows) {
  const widths = head.map((title, at) => Math.max(...[title, ...rows.map((row) => row[at])].map((cell) => cell.length)));
  const line = (cells) => `| ${cells.map((cell, at) => cell.padEnd(widths[at])).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)];
}

function optionsPage() {
  const lines = [
    "# Options",
    "",
    "Generated from `src/config/sections`; do not edit. Set options in `BARAM_HOME/baram.toml` (`[section]`, `name = value`) or as environment variables. An environment variable overrides the file.",
  ];
  for (const [section, options] of Object.entries(OPTIONS)) {
    lines.push(
      "",
      `## [${section}]`,
      "",
      "| option | environment variable | default | description |",
      "| --- | --- | --- | --- |",
    );
    for (const [name, spec] of Object.entries(options)) {
      const unit = spec.unit ? ` ${spec.unit}` : "";
      const value = spec.default === null ? "not set" : `\`${spec.default}\`${unit}`;
      const values = spec.values ? ` One of ${spec.values.map((one) => `\`${one}\``).join(", ")}.` : "";
      lines.push(`| \`${name}\` | \`${`BARAM__${section}__${name}`.toUpperCase()}\` | ${value} | ${spec.about}${values} |`);
    }
  }
  lines.push(
    "",
    "## Airflow options that have no effect",
    "",
    "From `src/config/meaningless-options.ts`. If you set one of them, the role logs a warning at startup and ignores it.",
    "",
    "| option | reason |",
    "| --- | --- |",
  );
  for (const [section, options] of Object.entries(MEANINGLESS_OPTIONS))
    for (const [name, why] of Object.entries(options)) lines.push(`| \`[${section}] ${name}\` | ${why} |`);
  return `${lines.join("\n")}\n`;
}

function metricsPage() {
  const lines = [
    "# Metrics",
    "",
    "Generated from `src/platform/metrics/metric-table.ts`; do not edit. To collect metrics, see [operations.md](operations.md#metrics).",
    "",
    "All names have the prefix `[metrics] statsd_prefix` (default `airflow`), followed by a dot in statsd and by `_` in Prometheus.",
    "Timers are in milliseconds in statsd. In Prometheus they are histograms in seconds. Without Datadog tags, statsd receives a counter or timer",
    "with labels twice: under its plain name and under its dotted name. It receives a gauge with labels under its dotted names, and the sum under",
    "its plain name.",
    "",
    "| name | kind | unit | labels | statsd, dotted | Prometheus | emitted by | description |",
    "| --- | --- | --- | --- | --- | --- | --- | --- |",
  ];
  for (const [name, { kind, unit, labels, dotted, roles, about }] of Object.entries(METRICS)) {
    const spelled = labels.length === 0 ? "" : `\`${dotted ?? `${name}.${labels.map((label) => `{${label}}`).join(".")}`}\``;
    const shown = labels.map((label) => `\`${label}\``).join(", ");
    lines.push(
      `| \`${name}\` | ${kind} | ${unit} | ${shown} | ${spelled} | \`${prometheusName("airflow", name)}\` | ${roles.join(", ")} | ${about} |`,
    );
  }
  return `${lines.join("\n")}\n`;
}

function adrIndex() {
  const files = readdirSync(join(root, "docs", "adr")).filter((name) => /^\d{4}-.+\.md$/.test(name));
  const lines = ["# Architecture decision records", "", "Generated from the titles of the records; do not edit.", ""];
  for (const name of files.sort())
    lines.push(`- [${readCurrent(`docs/adr/${name}`).split("\n")[0].replace(/^# /, "")}](${name})`);
  return `${lines.join("\n")}\n`;
}

function errorsPage() {
  const lines = [
    "# Error codes",
    "",
    "Generated from `src/platform/error-codes.ts`; do not edit. Codes are stable; messages are not.",
    "",
    "| code | meaning |",
    "| --- | --- |",
  ];
  for (const [code, about] of Object.entries(ERROR_CODES).sort(([a], [b]) => (a < b ? -1 : 1)))
    lines.push(`| \`${code}\` | ${about} |`);
  return `${lines.join("\n")}\n`;
}
