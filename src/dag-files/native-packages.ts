import { existsSync } from "node:fs";
import { dirname, join, parse } from "node:path";
import type { Plugin } from "esbuild";
import { readRegularFile } from "./file-reads.ts";
import { packageNameOf } from "./package-name.ts";

/** Packages that only native packages depend on: they find and load the `.node` file at run time, which a bundler cannot see. */
const NATIVE_LOADERS = [
  "node-gyp-build",
  "bindings",
  "node-pre-gyp",
  "@mapbox/node-pre-gyp",
  "prebuild-install",
  "napi-build-utils",
];

/**
 * Excludes from the bundle what cannot be part of it: `baram` itself, the packages that the DAG folder names, and packages with
 * native code, which are recognized by a `.node` file that they require, or by their package.json and folder.
 */
export function externalPackages(named: readonly string[], foundNative: Set<string>): Plugin {
  const isNative = new Map<string, Promise<boolean>>();
  return {
    name: "external-packages",
    setup(build) {
      build.onResolve({ filter: /\.node$/ }, (args) => {
        const owner = /[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)(?!.*[\\/]node_modules[\\/])/.exec(args.importer)?.[1];
        if (owner) foundNative.add(owner.replaceAll("\\", "/"));
        return { path: args.path, external: true };
      });
      build.onResolve({ filter: /^[^./]/ }, async (args) => {
        if (args.kind === "entry-point") return undefined;
        const name = packageNameOf(args.path);
        if (name === null) return undefined;
        if (name === "baram" || named.includes(name) || foundNative.has(name)) return { path: args.path, external: true };
        const folder = findPackageFolder(name, args.resolveDir);
        if (folder === null) return undefined;
        const native = isNative.get(folder) ?? looksNative(folder);
        isNative.set(folder, native);
        return (await native) ? { path: args.path, external: true } : undefined;
      });
    },
  };
}

function findPackageFolder(name: string, from: string): string | null {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, "node_modules", name);
    if (existsSync(candidate)) return candidate;
    if (folder === parse(folder).root) return null;
  }
}

async function looksNative(folder: string): Promise<boolean> {
  if (existsSync(join(folder, "binding.gyp")) || existsSync(join(folder, "prebuilds"))) return true;
  try {
    const manifest: { gypfile?: unknown; napi?: unknown; binary?: unknown; dependencies?: object } = JSON.parse(
      (await readRegularFile(join(folder, "package.json"))).toString("utf8"),
    );
    const dependencies = Object.keys(manifest.dependencies ?? {});
    return (
      Boolean(manifest.gypfile ?? manifest.napi ?? manifest.binary) || dependencies.some((name) => NATIVE_LOADERS.includes(name))
    );
  } catch {
    return false;
  }
}
