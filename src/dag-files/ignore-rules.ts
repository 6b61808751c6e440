import { compileLinear, escapePattern, globClass, type LinearPattern } from "../platform/index.ts";

/** One line of a `.baramignore`, as in `.gitignore`. */
export type IgnoreRule = { pattern: LinearPattern; isNegated: boolean; onlyFolders: boolean };

/**
 * Parses a `.baramignore` in the folder `base` (a path relative to the bundle, "" for its root): `#` comments, `!` to include
 * again, a trailing `/` for folders only, a `/` elsewhere to anchor the pattern at the base, `*`, `?`, `**` and `[a-z]`.
 */
export function parseIgnoreRules(text: string, base: string): IgnoreRule[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => parseRule(line, base));
}

/** Whether the rules exclude a path; the last matching rule decides. */
export function isIgnored(rules: readonly IgnoreRule[], relativePath: string, isFolder: boolean): boolean {
  const deciding = rules.findLast((rule) => (isFolder || !rule.onlyFolders) && rule.pattern.test(relativePath));
  return deciding !== undefined && !deciding.isNegated;
}

function parseRule(line: string, base: string): IgnoreRule {
  const isNegated = line.startsWith("!");
  const withoutMark = isNegated ? line.slice(1) : line;
  const onlyFolders = withoutMark.endsWith("/");
  const glob = onlyFolders ? withoutMark.slice(0, -1) : withoutMark;
  const isAnchored = glob.includes("/");
  const prefix = base === "" ? "" : `${escapePattern(base)}/`;
  const anywhere = isAnchored ? "" : "(?:.*/)?";
  return { pattern: compileLinear(`^${prefix}${anywhere}${globToPattern(glob.replace(/^\//, ""))}$`), isNegated, onlyFolders };
}

function globToPattern(glob: string): string {
  return glob.replace(/\*\*\/|\*+|\?|\[!?[^\]/]+\]|[^*?[]+|\[/g, (part) => {
    if (part === "**/") return "(?:.*/)?";
    if (part === "**") return ".*";
    if (part.startsWith("*")) return "[^/]*";
    if (part === "?") return "[^/]";
    if (part.startsWith("[") && part.length > 1) return globClass(part);
    return escapePattern(part);
  });
}
