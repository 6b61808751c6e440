// Changes that a DAG file can leave in the process and that would affect the evaluation of the next file. A child with such a
// change is not used again.

import childProcess from "node:child_process";
import fs from "node:fs";

const WATCHED: readonly (readonly [name: string, target: object])[] = [
  ["globalThis", globalThis],
  ["process", process],
  ...[
    Object,
    Function,
    Array,
    String,
    Number,
    Boolean,
    Symbol,
    Promise,
    Map,
    Set,
    WeakMap,
    Date,
    RegExp,
    Error,
    JSON,
    Math,
    Reflect,
  ].flatMap((value): (readonly [string, object])[] => {
    const name = "name" in value && typeof value.name === "string" ? value.name : Object.prototype.toString.call(value);
    const prototype = typeof value === "function" ? value.prototype : undefined;
    return prototype
      ? [
          [name, value],
          [`${name}.prototype`, prototype],
        ]
      : [[name, value]];
  }),
  ["console", console],
  ["fs", fs],
  ["child_process", childProcess],
];

/** Records the state of the process; the returned function names the differences since then. */
export function watchLeaks(): () => string[] {
  const before = WATCHED.map(([, target]) => snapshot(target));
  const environment = JSON.stringify(process.env);
  const folder = process.cwd();
  const listeners = countListeners();
  const resources = process.getActiveResourcesInfo().length;
  return () => {
    const leaks = WATCHED.filter(([, target], index) => !isSame(before[index], snapshot(target))).map(([name]) => name);
    if (JSON.stringify(process.env) !== environment) leaks.push("environment");
    if (process.cwd() !== folder) leaks.push("working folder");
    if (countListeners() !== listeners) leaks.push("process listeners");
    if (process.getActiveResourcesInfo().length > resources) leaks.push("timers or handles");
    return leaks;
  };
}

/** Keys with their values; for accessors the getter, which is not called. */
function snapshot(target: object): Map<PropertyKey, unknown> {
  return new Map(
    Reflect.ownKeys(target).map((key) => {
      const descriptor = Reflect.getOwnPropertyDescriptor(target, key);
      return [key, descriptor?.get ?? descriptor?.value];
    }),
  );
}

function isSame(before: Map<PropertyKey, unknown> | undefined, after: Map<PropertyKey, unknown>): boolean {
  if (before?.size !== after.size) return false;
  for (const [key, value] of after) if (!before.has(key) || !Object.is(before.get(key), value)) return false;
  return true;
}

function countListeners(): number {
  return process.eventNames().reduce((count, name) => count + process.listenerCount(name), 0);
}
