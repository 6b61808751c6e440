// Prints docs/options.md, docs/errors.md, docs/metrics.md and the tables of executors from the compiled tables. With --check it only tells whether they are current.
import { readFileSync, writeFileSync } from "node:fs";
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

/** The page as it is, with the table between its markers made anew. */
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
  rows.push([several, "several executors: each task selects one, the first is the default", "[docs/executors.md](docs/executors.md)"]);
  return table(["`[core] executor`", "a task runs", "setup"], rows);
}

/** As the formatter aligns it. */
function table(head, rows) {
  const widths = head.map((title, at) => Math.max(...[title, ...rows.map((row) => row[at])].map((cell) => cell.length)));
  const line = (cells) => `| ${cells.map((cell, at) => cell.padEnd(widths[at])).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)];
}

function optionsPage() {
  const lines = [
    "# Options",
    "",
    "Generated from `src/config/sections`; do not edit. An option is read from `BARAM_HOME/baram.toml` (`[section]`, `name = value`), then from its environment variable, which wins.",
  ];
  for (const [section, options] of Object.entries(OPTIONS)) {
    lines.push("", `## [${section}]`, "", "| option | environment | default | what |", "| --- | --- | --- | --- |");
    for (const [name, spec] of Object.entries(options)) {
      const unit = spec.unit ? ` ${spec.unit}` : "";
      const value = spec.default === null ? "not set" : `\`${spec.default}\`${unit}`;
      const values = spec.values ? ` One of ${spec.values.map((one) => `\`${one}\``).join(", ")}.` : "";
      lines.push(`| \`${name}\` | \`${`BARAM__${section}__${name}`.toUpperCase()}\` | ${value} | ${spec.about}${values} |`);
    }
  }
  lines.push(
    "",
    "## Options of Airflow that have no meaning here, and why",
    "",
    "From `src/config/meaningless-options.ts`. Setting one is no fault: a role that starts says so in a warning, and goes on.",
    "",
    "| option | why |",
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
    "Generated from `src/platform/metrics/metric-table.ts`; do not edit. How they are got out: [operations.md](operations.md).",
    "",
    "Each name has the prefix `[metrics] statsd_prefix`, `airflow` by default: with a dot in statsd, with `_` in Prometheus.",
    "Timers are milliseconds in statsd and seconds, as histograms, in Prometheus. Without Datadog's tags, statsd gets a labelled",
    "counter or timer under its name and under the dotted one, and a labelled gauge under its dotted names and, under its",
    "own, as their sum.",
    "",
    "| name | kind | unit | labels | statsd, dotted | Prometheus | emitted by | what |",
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
