// Prints docs/options.md and docs/errors.md from the compiled tables. With --check it only tells whether they are current.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { OPTIONS } from "../dist/config/index.js";
import { ERROR_CODES } from "../dist/platform/error-codes.js";

const root = fileURLToPath(new URL("..", import.meta.url));
const pages = { "docs/options.md": optionsPage(), "docs/errors.md": errorsPage() };
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

function optionsPage() {
  const lines = [
    "# Options",
    "",
    "Generated from `src/config/options.ts`; do not edit. An option is read from `BARAM_HOME/baram.toml` (`[section]`, `name = value`), then from its environment variable, which wins.",
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
