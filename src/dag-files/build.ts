// The build of Baram that read a file. It is stored next to the hash of the inputs and is not part of it, so that two builds that
// run at the same time, as in a rolling upgrade, see that they read the same inputs, and the older one leaves the newer one's
// result. If it were part of the hash, each would treat the other's result as an edit of the file.

import { version as bundlerVersion } from "esbuild";
import { SERIALIZED_DAG_VERSION } from "../contracts/index.ts";

/** Increase it when the bundler's settings change, so that files are loaded again. */
const BUNDLER_SETTINGS = 3;

/**
 * Compared from the left, as PostgreSQL compares arrays: format of serialized DAGs, version of Baram, settings of the bundler,
 * version of the bundler.
 */
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

/** 1.2.3-rc.4 gives 1, 2, 3, 0; the later 1.2.3 gives 1, 2, 3, 1. */
function numbersOf(version: string): number[] {
  const [, major = 0, minor = 0, patch = 0, prerelease] = /^(\d+)(?:\.(\d+))?(?:\.(\d+))?(-)?/.exec(version) ?? [];
  return [Number(major), Number(minor), Number(patch), prerelease === undefined ? 1 : 0];
}
