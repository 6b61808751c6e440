/** Computes the rules of ADR 0015 for a cron at clock changes in an independent way, with the wall clock from `Intl`. */
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const formats = new Map<string, Intl.DateTimeFormat>();

/** Difference of the zone's wall clock to UTC at an instant. */
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

/** The instants of an expression with minutes and hours from `from` to `to`, both inclusive, with one clock change in between. */
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
      // A skipped time is shifted by the gap; a repeated time counts at its second occurrence.
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
