import { compileLinear } from "./linear-pattern.ts";

/** Whether an absolute path matches a glob of `*`, `?`, `[…]`, `{…,…}` and `**`. Node 20 has no `path.matchesGlob` yet. */
export function createGlobMatcher(pattern: string): (path: string) => boolean {
  const compiled = compileLinear(`(?s)^${toPattern(pattern)}$`);
  return (path) => compiled.test(path);
}

function toPattern(glob: string): string {
  return glob.replace(/\*\*\/?|\*|\?|\[[^\]]+\]|\{[^}]+\}|[^*?[{]+|./gs, (token) => {
    if (token.startsWith("**")) return token.endsWith("/") ? "(?:.*/)?" : ".*";
    if (token === "*") return "[^/]*";
    if (token === "?") return "[^/]";
    if (token.startsWith("[") && token.length > 1) return globClass(token);
    if (token.startsWith("{") && token.length > 1) return `(?:${token.slice(1, -1).split(",").map(escapePattern).join("|")})`;
    return escapePattern(token);
  });
}

/** `[a-z]` and `[!a-z]` of a glob; one that is none, such as `[z-a]`, is itself. */
export function globClass(token: string): string {
  const pattern = token
    .replace(/^\[!/, "[^")
    .replaceAll("\\", "\\\\")
    .replaceAll(/(?<=.)\[/gs, "\\[");
  try {
    compileLinear(pattern);
    return pattern;
  } catch {
    return escapePattern(token);
  }
}

/** The text itself as a part of a pattern. */
export function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
