/** Whether an absolute path matches a glob of `*`, `?`, `[…]` and `**`. Node 20 has no `path.matchesGlob` yet. */
export function matchesGlob(path: string, pattern: string): boolean {
  return new RegExp(`^${toRegExp(pattern)}$`, "s").test(path);
}

function toRegExp(pattern: string): string {
  return pattern.replace(/\*\*\/?|\*|\?|\[[^\]]+\]|\{[^}]+\}|[^*?[{]+|./gs, (token) => {
    if (token.startsWith("**")) return token.endsWith("/") ? "(?:.*/)?" : ".*";
    if (token === "*") return "[^/]*";
    if (token === "?") return "[^/]";
    if (token.startsWith("[") && token.length > 1) return token.replace(/^\[!/, "[^").replaceAll("\\", "\\\\");
    if (token.startsWith("{") && token.length > 1) return `(?:${token.slice(1, -1).split(",").map(escapeText).join("|")})`;
    return escapeText(token);
  });
}

function escapeText(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
