import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MEANINGLESS_OPTIONS, OPTIONS } from "../../src/config/index.ts";
import { ERROR_CODES } from "../../src/platform/error-codes.ts";
import { findPackageRoot } from "../../src/platform/index.ts";
import { ERROR_STATUSES } from "../../src/public-api/error-statuses.ts";

const root = findPackageRoot();

test("docs/options.md, docs/errors.md, docs/metrics.md, the tables of executors and the index of ADRs are current", () => {
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
      // Matches `config.core.parallelism`, `options.parallelism` and `const { parallelism } = config.core`.
      expect(text, `[${section}] ${name} is read`).toMatch(new RegExp(`(?:\\.|[{,] *)${name}\\b(?!:)`));
      expect(MEANINGLESS_OPTIONS[section] ?? {}).not.toHaveProperty(name);
    }
  }
});

const PAGES = [
  "README.md",
  "ARCHITECTURE.md",
  "CONTRIBUTING.md",
  "bench/README.md",
  ...["docs", "docs/executors", "docs/adr"].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith(".md"))
      .map((name) => `${folder}/${name}`),
  ),
];

/** The page without its code blocks. */
function prose(page: string): string {
  return readFileSync(join(root, page), "utf8").replaceAll(/```.*?```/gs, "");
}

/** The anchors of its headings, as GitHub generates them. */
function anchors(page: string): string[] {
  return [...prose(page).matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

test("every relative link in the docs leads to a file, and its anchor to a heading", () => {
  const broken = PAGES.flatMap((page) =>
    [...prose(page).matchAll(/\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)/g)].flatMap(([, path = "", anchor]) => {
      const target = path === "" ? page : join(page, "..", path);
      const isThere = existsSync(join(root, target)) && (anchor === undefined || anchors(target).includes(anchor));
      return isThere ? [] : [`${page}: ${path}${anchor === undefined ? "" : `#${anchor}`}`];
    }),
  );
  expect(broken).toEqual([]);
});

test("every source file that the docs name exists", () => {
  const files = ["src", "tests", "scripts", "bench", "examples"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((path) => `${folder}/${path}`),
  );
  const placeholders = /claim\.|NNNNNN|<|^(dags|\/|macros|index\.mjs)/;
  const missing = PAGES.flatMap((page) =>
    [...prose(page).matchAll(/`([\w./{}<>-]+\.(?:ts|mjs|sh|json))`/g)].flatMap(([, path = ""]) =>
      placeholders.test(path) || files.some((file) => file.endsWith(path)) || existsSync(join(root, path))
        ? []
        : [`${page}: ${path}`],
    ),
  );
  expect(missing).toEqual([]);
});

test("the glossary is in alphabetical order and has each term once", () => {
  const terms = [...readFileSync(join(root, "docs", "glossary.md"), "utf8").matchAll(/^- \*\*(.+?)\*\*/gm)].map(([, term = ""]) =>
    term.toLowerCase(),
  );
  expect(terms.length).toBeGreaterThan(60);
  expect(terms).toEqual([...new Set(terms)].sort());
});
