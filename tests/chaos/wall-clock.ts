/** What ADR 0015 says of a cron where clocks change, by a way of its own: `Intl` is asked what the wall clock reads. */
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const formats = new Map<string, Intl.DateTimeFormat>();

/** What the zone's wall clock is ahead of UTC at an instant. */
export function offsetMs(zone: string, at: number): number {
  let format = formats.get(zone);
  if (!format) {
    const two = "2-digit" as const;
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: two,
      day: two,
      hour: two,
      minute: two,
    });
    formats.set(zone, format);
  }
  const floor = Math.floor(at / MINUTE_MS) * MINUTE_MS;
  const [month = 0, day = 0, year = 0, hour = 0, minute = 0] = format.format(floor).match(/\d+/g)?.map(Number) ?? [];
  return Date.UTC(year, month - 1, day, hour, minute) - floor;
}

/** Instants from `from` to `to`, both included, between which clocks change once, of an expression of minutes and hours. */
export function expectedInstants(expression: string, zone: string, from: number, to: number): number[] {
  const [minutes = "", hours = ""] = expression.split(" ");
  const matches = (wall: number) => {
    const date = new Date(wall);
    return holds(minutes, date.getUTCMinutes()) && holds(hours, date.getUTCHours());
  };
  const instants = new Set<number>();
  if (hours === "*") {
    for (let at = Math.ceil(from / MINUTE_MS) * MINUTE_MS; at <= to; at += MINUTE_MS)
      if (matches(at + offsetMs(zone, at))) instants.add(at);
  } else {
    const offsets = [offsetMs(zone, from), offsetMs(zone, to)];
    const [before = 0] = offsets;
    const [first, last] = [Math.ceil((from - DAY_MS) / MINUTE_MS) * MINUTE_MS, to + DAY_MS];
    for (let wall = first; wall <= last; wall += MINUTE_MS) {
      if (!matches(wall)) continue;
      const real = offsets.map((offset) => wall - offset).filter((at) => at + offsetMs(zone, at) === wall);
      // Skipped: later by the gap. Repeated: the second time.
      instants.add(real.length === 0 ? wall - before : Math.max(...real));
    }
  }
  return [...instants].filter((at) => at >= from && at <= to).sort((a, b) => a - b);
}

function holds(field: string, value: number): boolean {
  if (field === "*") return true;
  if (field.startsWith("*/")) return value % Number(field.slice(2)) === 0;
  return field.split(",").map(Number).includes(value);
}
