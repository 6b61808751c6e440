/** Values that no route expects: of another type, out of range, and difficult for the parsers of PostgreSQL or JavaScript. */
export const NONSENSE: readonly unknown[] = [
  null,
  "",
  "\0",
  "\ud800",
  "💩'; drop table dag; --",
  "9".repeat(400),
  -1,
  1.5,
  1e308,
  Number.MAX_SAFE_INTEGER,
  true,
  [],
  [null],
  {},
  { "\0": ["\0"] },
  "+275760-09-13T00:00:00Z",
  "0000-01-01T00:00:00Z",
];

/** As in a query: the output of URLSearchParams, and bytes that are not UTF-8. */
export const NONSENSE_IN_QUERY: readonly string[] = [
  ...new Set(
    NONSENSE.map((value) =>
      encodeURIComponent(typeof value === "string" ? value.replace("\ud800", "\ufffd") : JSON.stringify(value)),
    ),
  ),
  "%E0%A4%A",
  "%FF%FE",
];

/** Bodies that are not objects. */
export const NO_OBJECTS: readonly string[] = [
  "",
  "{",
  "[]",
  "null",
  "true",
  "1e400",
  '"text"',
  '"\\u0000"',
  `${"[".repeat(5_000)}`,
];

/** The object with an invalid value in one place, for each place at any depth and each value. */
export function* spoiled(body: unknown): Generator<unknown> {
  if (typeof body !== "object" || body === null) return;
  for (const [key, value] of Object.entries(body)) {
    const put = (bad: unknown) => (Array.isArray(body) ? body.with(Number(key), bad) : { ...body, [key]: bad });
    for (const bad of NONSENSE) yield put(bad);
    for (const inner of spoiled(value)) yield put(inner);
  }
}
