// Changes that a DAG file can leave in the process and that would affect the evaluation of the next file. A child with such a
// change is not used again. This is not a defence: a file that means harm can change what looks for its changes, or the answer that
// names them. `[dag_processor] files_per_process = 1` is one.

import childProcess from "node:child_process";
import { EventEmitter } from "node:events";
import fs from "node:fs";
import { Socket } from "node:net";
import { Duplex, Readable, Stream, Writable } from "node:stream";
import timers from "node:timers";

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
    Buffer,
    Uint8Array,
    Object.getPrototypeOf(Uint8Array),
    // The answer about a file goes through these.
    EventEmitter,
    Stream,
    Readable,
    Writable,
    Duplex,
    Socket,
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
  ["fs.promises", fs.promises],
  ["child_process", childProcess],
  ["timers", timers],
];

const { getOwnPropertyDescriptor, ownKeys } = Reflect;
/** Of this process before its first file: one with a difference evaluates no other file. */
let atStart: { name: string; target: object; properties: ReturnType<typeof snapshot> }[] | null = null;

/** Records what may differ from file to file; the returned function names the differences since then, and since the start. */
export function watchLeaks(): () => string[] {
  atStart ??= WATCHED.map(([name, target]) => ({ name, target, properties: snapshot(target) }));
  const before = atStart;
  const environment = JSON.stringify(process.env);
  const folder = process.cwd();
  const listeners = countListeners();
  const resources = process.getActiveResourcesInfo().length;
  return () => {
    const leaks = before.filter(({ target, properties }) => isChanged(target, properties)).map(({ name }) => name);
    if (JSON.stringify(process.env) !== environment) leaks.push("environment");
    if (process.cwd() !== folder) leaks.push("working folder");
    if (countListeners() !== listeners) leaks.push("process listeners");
    if (process.getActiveResourcesInfo().length > resources) leaks.push("timers or handles");
    return leaks;
  };
}

/** By key; getters are not called. */
function snapshot(target: object): Map<PropertyKey, PropertyDescriptor | undefined> {
  return new Map(ownKeys(target).map((key) => [key, getOwnPropertyDescriptor(target, key)]));
}

function isChanged(target: object, before: ReturnType<typeof snapshot>): boolean {
  const keys = ownKeys(target);
  return keys.length !== before.size || keys.some((key) => !isSame(before.get(key), getOwnPropertyDescriptor(target, key)));
}

function isSame(before: PropertyDescriptor | undefined, after: PropertyDescriptor | undefined): boolean {
  return Object.is(before?.value, after?.value) && before?.get === after?.get && before?.set === after?.set;
}

function countListeners(): number {
  return process.eventNames().reduce((count, name) => count + process.listenerCount(name), 0);
}
