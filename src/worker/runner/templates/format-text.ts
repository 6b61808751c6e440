import type { Budget } from "./budget.ts";
import { strftime } from "./format-date.ts";
import { dateOf } from "./template-date.ts";
import { describe, isDate, toText } from "./template-values.ts";

/** How one value is written: the common part of `%05.2f` and `{:>10,.2f}`. */
type Spec = {
  readonly fill: string;
  readonly align: string;
  readonly sign: string;
  readonly isAlternate: boolean;
  readonly width: number;
  readonly grouping: string;
  readonly precision: number | undefined;
  readonly type: string;
};

const PERCENT = /%(?:\((\w+)\))?([-+ 0#]*)(\d*)(?:\.(\d*))?([a-zA-Z%])?/g;
const BRACES = /\{\{|\}\}|\{([^{}:!]*)(![^{}:]*)?(?::([^{}]*))?\}|[{}]/g;
const SPEC = /^(?:(.)?([<>^=]))?([-+ ]?)(#?)(0?)(\d*)([,_]?)(?:\.(\d+))?([a-zA-Z%]?)$/su;
/** Of JavaScript's toFixed. */
const MOST_DIGITS = 100;

/** Python's `'%s: %05.1f' % (a, b)` and `'%(name)s' % {…}`. @throws Error if values and places differ in number. */
export function formatPercent(format: string, given: unknown, budget: Budget): string {
  budget.text(format.length);
  const list = Array.isArray(given) ? given : [given];
  const isMapping = typeof given === "object" && given !== null && !Array.isArray(given) && !isDate(given);
  let used = 0;
  let isNamed = false;
  const text = format.replace(PERCENT, (place, name: string | undefined, flags, width, precision, type) => {
    if (type === "%") return "%";
    if (type === undefined)
      throw new Error(`the format ${describe(format)} has an incomplete ${place}: write %% for the character %`);
    budget.step();
    if (name !== undefined) isNamed = true;
    const value = name === undefined ? next() : named(given, isMapping, name);
    const isRight = !flags.includes("-");
    return write(
      value,
      {
        fill: isRight && flags.includes("0") && type !== "s" ? "0" : " ",
        align: !isRight ? "<" : flags.includes("0") && type !== "s" ? "=" : ">",
        sign: flags.includes("+") ? "+" : flags.includes(" ") ? " " : "",
        isAlternate: flags.includes("#"),
        width: Number(width),
        grouping: "",
        precision: precision === undefined ? undefined : Number(precision),
        type: type === "i" || type === "u" ? "d" : type,
      },
      place,
      budget,
    );
  });
  if (used < list.length && !isNamed && !(isMapping && used === 0))
    throw new Error(`the format ${describe(format)} has ${used} places, but is given ${list.length} values`);
  budget.text(text.length);
  return text;

  function next(): unknown {
    if (used >= list.length)
      throw new Error(`the format ${describe(format)} has more places than it is given values, ${list.length}`);
    used += 1;
    return list[used - 1];
  }
}

function named(values: unknown, isMapping: boolean, name: string): unknown {
  if (isMapping && Object.hasOwn(values as object, name)) return (values as Record<string, unknown>)[name];
  throw new Error(`the format needs a value named '${name}'`);
}

/** Python's `'{} {0} {name:>5}'.format(…)`. There is no way from a value to its members: `{0.a}` and `{0[a]}` are refused. */
export function formatBraces(
  format: string,
  positional: readonly unknown[],
  keywords: ReadonlyMap<string, unknown>,
  budget: Budget,
): string {
  budget.text(format.length);
  let used = 0;
  const unused = new Set<string | number>([...positional.keys(), ...keywords.keys()]);
  const text = format.replace(BRACES, (place, field: string | undefined, conversion: string | undefined, spec = "") => {
    if (place === "{{" || place === "}}") return place.charAt(0);
    if (field === undefined)
      throw new Error(`the format ${describe(format)} has a single ${place}: write ${place}${place} for it`);
    if (conversion !== undefined || !/^\w*$/.test(field))
      throw new Error(`the format ${describe(format)} has ${place}: only {}, {0} and {name} with a width are known here`);
    budget.step();
    const key = field === "" ? used++ : /^\d+$/.test(field) ? Number(field) : field;
    const isGiven = typeof key === "number" ? key < positional.length : keywords.has(key);
    if (!isGiven) throw new Error(`the format ${describe(format)} needs a value for ${place}`);
    unused.delete(key);
    const value = typeof key === "number" ? positional[key] : keywords.get(key);
    const date = dateOf(value);
    return date !== undefined && spec.includes("%") ? strftime(date, spec) : write(value, parseSpec(spec, value), place, budget);
  });
  if (unused.size > 0) throw new Error(`the format ${describe(format)} has no place for ${[...unused].join(", ")}`);
  budget.text(text.length);
  return text;
}

function parseSpec(spec: string, value: unknown): Spec {
  const found = SPEC.exec(spec);
  if (found === null) throw new Error(`${describe(spec)} is not a format that is known here`);
  const [, fill = " ", align, sign = "", alternate, zero, width, grouping = "", precision, type = ""] = found;
  const fallback = typeof value === "number" ? ">" : "<";
  return {
    fill: zero === "0" && align === undefined ? "0" : fill,
    align: align ?? (zero === "0" ? "=" : fallback),
    sign,
    isAlternate: alternate === "#",
    width: Number(width),
    grouping,
    precision: precision === undefined ? undefined : Number(precision),
    type,
  };
}

function write(value: unknown, spec: Spec, place: string, budget: Budget): string {
  if (!/^[sdfFeEgGxXob%]?$/.test(spec.type))
    throw new Error(`${place} is not a format that is known here: s, d, f, e, g, x, o and % are`);
  // Counted first: the width is written by the template.
  budget.text(Math.max(0, spec.width));
  if (value === undefined) throw new Error(`the format is given a value that is undefined for ${place}`);
  const isText = spec.type === "s" || (spec.type === "" && typeof value !== "number");
  if (spec.precision !== undefined && spec.precision > MOST_DIGITS && !isText)
    throw new Error(`${place} asks for more than ${MOST_DIGITS} digits`);
  if (isText) {
    const text = toText(value, budget).slice(0, spec.precision);
    return pad(spec.align === "=" ? ">" : spec.align, text, "", spec);
  }
  if (typeof value !== "number" && typeof value !== "boolean")
    throw new Error(`${place} needs a number, not ${describe(value)}: make a number of a text with | int or | float`);
  const number = Number(value);
  const digits = writeDigits(Math.abs(number), spec);
  const isNegative = number < 0 || Object.is(number, -0);
  return pad(spec.align, digits, isNegative ? "-" : spec.sign === "-" ? "" : spec.sign, spec);
}

function pad(align: string, text: string, sign: string, { fill, width }: Spec): string {
  const missing = Math.max(0, width - text.length - sign.length);
  if (align === "=") return sign + fill.repeat(missing) + text;
  const before = align === "<" ? 0 : align === "^" ? Math.floor(missing / 2) : missing;
  return fill.repeat(before) + sign + text + fill.repeat(missing - before);
}

const RADIX: Readonly<Record<string, number>> = { x: 16, X: 16, o: 8, b: 2 };

function writeDigits(number: number, spec: Spec): string {
  const { type, precision, isAlternate } = spec;
  const group = (text: string) =>
    spec.grouping === "" ? text : text.replace(/\B(?<!\.\d*)(?=(?:\d{3})+(?!\d))/g, spec.grouping);
  if (!Number.isFinite(number)) return String(number).slice(0, 3).toLowerCase();
  const radix = Object.hasOwn(RADIX, type) ? RADIX[type] : undefined;
  if (radix !== undefined) {
    const text = Math.trunc(number).toString(radix);
    return (isAlternate ? `0${type}` : "") + (type === "X" ? text.toUpperCase() : text);
  }
  switch (type) {
    case "":
      return group(precision === undefined ? String(number) : general(number, precision));
    case "d":
      return group(String(Math.trunc(number)).padStart(precision ?? 0, "0"));
    case "f":
    case "F":
      return group(fixed(number, precision ?? 6));
    case "%":
      return group(`${fixed(number * 100, precision ?? 6)}%`);
    case "e":
    case "E":
      return cased(exponent(number.toExponential(precision ?? 6)), type);
    default:
      return cased(group(general(number, precision ?? 6)), type);
  }
}

/** As in Python, what lies exactly between two numbers goes to the even one; JavaScript takes the larger. */
function fixed(number: number, digits: number): string {
  const text = number.toFixed(digits);
  if (digits > 70 || !/[13579]$/.test(text) || !/^50*$/.test(number.toFixed(digits + 30).slice(-30))) return text;
  const lower = number.toFixed(digits + 1).slice(0, -1);
  return lower.endsWith(".") ? lower.slice(0, -1) : lower;
}

const cased = (text: string, type: string) => (type === type.toUpperCase() ? text.toUpperCase() : text);
/** Python writes two digits at least: 1e+05. */
const exponent = (text: string) => text.replace(/e([+-])(\d)$/, "e$10$2");

function general(number: number, precision: number): string {
  const digits = Math.max(1, precision);
  const power = number === 0 ? 0 : Number(number.toExponential(digits - 1).split("e")[1]);
  const trim = (text: string) => (text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text);
  if (power >= -4 && power < digits) return trim(number.toFixed(Math.min(MOST_DIGITS, digits - 1 - power)));
  const [mantissa = "", rest = ""] = number.toExponential(digits - 1).split("e");
  return exponent(`${trim(mantissa)}e${rest}`);
}
