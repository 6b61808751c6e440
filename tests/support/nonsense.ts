/** Values that no route expects: of another type, out of bounds, and what PostgreSQL or JavaScript's own parsers stumble over. */
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

/** As they stand in a query: what URLSearchParams makes of them, and bytes that are no UTF-8. */
export const NONSENSE_IN_QUERY: readonly string[] = [
  ...new Set(
    NONSENSE.map((value) =>
      encodeURIComponent(typeof value === "string" ? value.replace("\ud800", "\ufffd") : JSON.stringify(value)),
    ),
  ),
  "%E0%A4%A",
  "%FF%FE",
];

/** Bodies that are no object. */
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

/** The object with nonsense in one place, for each place at any depth and each nonsense. */
export function* spoiled(body: unknown): Generator<unknown> {
  if (typeof body !== "object" || body === null) return;
  for (const [key, value] of Object.entries(body)) {
    const put = (bad: unknown) => (Array.isArray(body) ? body.with(Number(key), bad) : { ...body, [key]: bad });
    for (const bad of NONSENSE) yield put(bad);
    for (const inner of spoiled(value)) yield put(inner);
  }
}
