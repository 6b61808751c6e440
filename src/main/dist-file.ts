import { join } from "node:path";
import { findPackageRoot } from "../platform/index.ts";

/** A compiled file of this package. Processes are started from dist, even if this code runs from its sources. */
export function distFile(path: string): string {
  return join(findPackageRoot(), "dist", path);
}
