import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MEANINGLESS_OPTIONS, OPTIONS } from "../../src/config/index.ts";
import { ERROR_CODES } from "../../src/platform/error-codes.ts";
import { findPackageRoot } from "../../src/platform/index.ts";
import { ERROR_STATUSES } from "../../src/public-api/error-statuses.ts";

const root = findPackageRoot();

test("docs/options.md, docs/errors.md, docs/metrics.md and the tables of executors are current", () => {
  const { status, stderr } = spawnSync(process.execPath, [join(root, "scripts", "generate-docs.mjs"), "--check"], {
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  expect(status).toBe(0);
});

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return /\.ts$/.test(entry.name) && !/\.test(-d)?\.ts$/.test(entry.name) ? [path] : [];
  });
}

test("every error code raised in the sources stands in the table, and every code of the table is used", () => {
  const raised = new Set<string>();
  let text = "";
  for (const path of sources(join(root, "src"))) {
    if (path.endsWith("error-codes.ts")) continue;
    const source = readFileSync(path, "utf8");
    text += source;
    for (const [, code] of source.matchAll(/new (?:BaramError|Refusal)\(\s*(?:\d+,\s*)?"([a-z_]+)"/g)) if (code) raised.add(code);
  }
  for (const code of Object.keys(ERROR_STATUSES)) raised.add(code);
  const known = Object.keys(ERROR_CODES);
  expect([...raised].filter((code) => !known.includes(code)).sort()).toEqual([]);
  expect(known.filter((code) => !new RegExp(`\\b${code}\\b`).test(text)).sort()).toEqual([]);
});

test("every option is read somewhere, and none both has a meaning and has none", () => {
  const text = sources(join(root, "src"))
    .filter((path) => !/\/config\/(options|meaningless-options|sections\/[\w-]+)\.ts$/.test(path))
    .map((path) => readFileSync(path, "utf8"))
    .join("\n");
  for (const [section, names] of Object.entries(OPTIONS)) {
    for (const name of Object.keys(names)) {
      // As in `config.core.parallelism`, `options.parallelism` or `const { parallelism } = config.core`.
      expect(text, `[${section}] ${name} is read`).toMatch(new RegExp(`(?:\\.|[{,] *)${name}\\b(?!:)`));
      expect(MEANINGLESS_OPTIONS[section] ?? {}).not.toHaveProperty(name);
    }
  }
});

test("every relative link in the docs leads somewhere", () => {
  const pages = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    ...readdirSync(join(root, "docs"))
      .filter((name) => name.endsWith(".md"))
      .map((name) => `docs/${name}`),
  ];
  for (const page of pages) {
    const text = readFileSync(join(root, page), "utf8");
    for (const [, link] of text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)) {
      if (link) expect(() => readdirOrFile(join(root, page, "..", link)), `${page} links to ${link}`).not.toThrow();
    }
  }
});

function readdirOrFile(path: string): void {
  try {
    readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EISDIR") throw error;
  }
}
