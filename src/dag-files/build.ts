// Which Baram read a file. It is kept beside the hash of what was read, and not in it: two builds side by side, as in a rolling upgrade,
// then see that they read the same, and the older one leaves what the newer one saved. In the hash it would make each of them take the
// other's work for an edit.

import { version as bundlerVersion } from "esbuild";
import { SERIALIZED_DAG_VERSION } from "../contracts/index.ts";

/** Raise it when the bundler's settings change, so that files are loaded again by the build that has them. */
const BUNDLER_SETTINGS = 1;

/** Compared from the left, as PostgreSQL compares arrays: format of serialized DAGs, version of Baram, settings of the bundler, its version. */
export type Build = readonly number[];

export function buildOf(
  packageVersion: string,
  { serializedVersion = SERIALIZED_DAG_VERSION as number, bundler = bundlerVersion } = {},
): Build {
  return [serializedVersion, ...numbersOf(packageVersion), BUNDLER_SETTINGS, ...numbersOf(bundler)];
}

export function isNewerBuild(a: Build, b: Build): boolean {
  const at = a.findIndex((number, index) => number !== b[index]);
  return at !== -1 && (a[at] ?? 0) > (b[at] ?? Number.NEGATIVE_INFINITY);
}

/** Of 1.2.3-rc.4: 1, 2, 3, 0; of 1.2.3, which comes after it: 1, 2, 3, 1. */
function numbersOf(version: string): number[] {
  const [, major = 0, minor = 0, patch = 0, prerelease] = /^(\d+)(?:\.(\d+))?(?:\.(\d+))?(-)?/.exec(version) ?? [];
  return [Number(major), Number(minor), Number(patch), prerelease === undefined ? 1 : 0];
}
