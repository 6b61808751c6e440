import { isBuiltin } from "node:module";

/**
 * The npm package of an import specifier: `@scope/name/sub` → `@scope/name`; null for a path, a URL or a built-in module of Node.
 */
export function packageNameOf(specifier: string): string | null {
  if (isBuiltin(specifier) || /^(?:[./#]|[a-z-]+:)/i.test(specifier)) return null;
  const [first = "", second] = specifier.split("/");
  return first.startsWith("@") && second ? `${first}/${second}` : first;
}
