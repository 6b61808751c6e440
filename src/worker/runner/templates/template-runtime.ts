import type nunjucks from "nunjucks";
import { LookupNamespace } from "./lookup.ts";
import { readMember } from "./template-members.ts";

/** The runtime that compiled templates call for every lookup, member, call and output; it replaces nunjucks' own. */
export type TemplateRuntime = Record<string, unknown>;

type Frame = { lookup(name: string): unknown };

/** What one render put out: `chunks` are the values of `{{ … }}` as they were before they became text. */
export type RenderTrace = { chunks: unknown[]; line: number };

/**
 * Nunjucks' runtime made strict and closed: an undefined variable is an error that names it, members are those that
 * `readMember` allows, only functions found that way can be called, null is written "null" and objects as JSON.
 */
export function createRuntime(base: typeof nunjucks.runtime, trace: RenderTrace): TemplateRuntime {
  const names = new WeakMap<object, string>();
  let lastMiss = "a value";
  const noteName = <T>(value: T, name: string): T => {
    if (value === undefined) lastMiss = name;
    else if (typeof value === "object" && value !== null && !names.has(value)) names.set(value, name);
    return value;
  };
  const nameOf = (value: unknown) => (typeof value === "object" && value !== null ? (names.get(value) ?? "(…)") : "(…)");
  return {
    ...base,
    contextOrFrameLookup(context: { lookup(name: string): unknown }, frame: Frame, name: string) {
      const local = frame.lookup(name);
      return noteName(local === undefined ? context.lookup(name) : local, name);
    },
    memberLookup(object: unknown, key: unknown) {
      if (object === undefined) throw new Error(`'${lastMiss}' is undefined${hintFor(lastMiss)}, so it has no '${String(key)}'`);
      if (object === null) throw new Error(`'${String(key)}' is asked of null`);
      const path = object instanceof LookupNamespace ? object.name : nameOf(object);
      return noteName(readMember(object, key), `${path}.${String(key)}`);
    },
    callWrap(callee: unknown, name: string, _context: unknown, args: unknown[]) {
      if (typeof callee !== "function") {
        const what = readable(name);
        throw new Error(`'${what}' is called, but it is not a function${callee === undefined ? hintFor(what) : ""}`);
      }
      return noteName(callee(...args), `${readable(name)}(…)`);
    },
    ensureDefined(value: unknown, line: number) {
      if (value !== undefined) return value;
      trace.line = line + 1;
      throw new Error(`'${lastMiss}' is undefined${hintFor(lastMiss)}`);
    },
    suppressValue(value: unknown) {
      trace.chunks.push(value);
      return toText(value);
    },
    handleError(error: unknown, line: number) {
      trace.line = Math.max(trace.line, line + 1);
      return error;
    },
  };
}

/** A value as text in the output. */
export function toText(value: unknown): string {
  if (typeof value === "function") throw new Error("a function is put out: it lacks its call, ( )");
  if (value instanceof LookupNamespace) throw new Error(`'${value.name}' is put out without a name: write ${value.name}.NAME`);
  if (typeof value !== "object" || value === null || value instanceof String) return String(value);
  if (Object.hasOwn(value, "toString") && typeof value.toString === "function") return value.toString();
  return JSON.stringify(value);
}

/** Nunjucks names what is called as `ti["xcom_pull"]`. */
function readable(name: string): string {
  return name.replace(/\["([^"]*)"\]/g, ".$1");
}

const OF_THE_LOGICAL_DATE = ["ds", "ds_nodash", "ts", "ts_nodash", "logical_date", "data_interval_start", "data_interval_end"];

/** Python's modules and classes among Airflow's macros, and what to write instead. */
const INSTEAD_OF_MACROS: Readonly<Record<string, string>> = {
  timedelta: "move a date with logical_date.add(days=1) or .subtract(hours=2), a text such as ds with macros.ds_add(ds, 1)",
  time: "write a date with logical_date.strftime('%H:%M')",
  dateutil: "read a date with macros.datetime.fromisoformat('2026-01-31'), move it with .add(months=1)",
  uuid: "make it in the task, with crypto.randomUUID()",
  random: "make it in the task, with Math.random()",
};
const OTHER_MACROS = "the macros are ds_add, ds_format, datetime and json";

/** A run may have been triggered without a logical date; the message should say so. */
function hintFor(name: string): string {
  const macro = /^macros\.([^.(]+)/.exec(name)?.[1];
  if (macro !== undefined) {
    const instead = Object.hasOwn(INSTEAD_OF_MACROS, macro) ? INSTEAD_OF_MACROS[macro] : undefined;
    return instead === undefined ? ` (${OTHER_MACROS})` : ` (macros.${macro} is Python's: ${instead})`;
  }
  if (!OF_THE_LOGICAL_DATE.includes(name)) return "";
  return " (this run was triggered without a logical date: trigger it with one, or use dag_run.run_after)";
}
