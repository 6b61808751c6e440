/** As much of a value as a message repeats. */
const SHOWN_MAX = 100;

/** A value in quotes, as it stands in a message: what is long is cut, and said to be. */
export function shown(value: string): string {
  if (value.length <= SHOWN_MAX) return `"${value}"`;
  return `"${value.slice(0, SHOWN_MAX)}…" (${value.length} characters)`;
}
