import { readFileSync } from "node:fs";
import { join } from "node:path";
import { findPackageRoot } from "../platform/index.ts";

/** The version in this package's package.json. */
export function packageVersion(): string {
  return (JSON.parse(readFileSync(join(findPackageRoot(), "package.json"), "utf8")) as { version: string }).version;
}
