import { Info, type Zone } from "luxon";

const DAY_MS = 86_400_000;
/**
 * Two clock changes of one zone are weeks apart (Morocco's Ramadan pause is the shortest), so a step of two days cannot miss a
 * pair.
 */
const SCAN_STEP_MS = 2 * DAY_MS;

/**
 * A period within one UTC year in which a zone's offset is constant. Instants are epoch ms, offsets ms east of UTC; `start` is
 * inclusive, `end` exclusive.
 */
export type ZoneSegment = {
  start: number;
  end: number;
  offset: number;
  /** Offset just before `start`; a smaller one means the clock jumped forward at `start` and skipped a gap. */
  offsetBefore: number;
  /** Offset at `end`; a smaller one means the clock goes back at `end` and repeats the last stretch of this segment. */
  offsetAfter: number;
};

const zones = new Map<string, Zone | null>();
const segments = new Map<string, ZoneSegment[]>();

/**
 * The luxon zone of an IANA name, "UTC" or an offset such as "UTC+2"; null if there is none. The machine's own zone is refused.
 */
export function findZone(timezone: string): Zone | null {
  const known = zones.get(timezone);
  if (known !== undefined) return known;
  const machineZone = ["", "system", "local", "default"].includes(timezone.toLowerCase());
  const zone = machineZone ? null : Info.normalizeZone(timezone);
  const found = zone?.isValid ? zone : null;
  zones.set(timezone, found);
  return found;
}

/** The segment of the zone that contains `instant`. Computed once per zone and year (about 1 ms), then looked up. */
export function segmentAt(zone: Zone, instant: number): ZoneSegment {
  const year = new Date(instant).getUTCFullYear();
  const key = `${zone.name}|${year}`;
  let ofYear = segments.get(key);
  if (!ofYear) {
    ofYear = scanYear(zone, year);
    segments.set(key, ofYear);
  }
  const found = ofYear.find((segment) => instant < segment.end) ?? ofYear.at(-1);
  if (!found) throw new RangeError(`no time zone data of ${zone.name} for the year ${year}`);
  return found;
}

function scanYear(zone: Zone, year: number): ZoneSegment[] {
  const yearStart = Date.UTC(year, 0, 1);
  const yearEnd = Date.UTC(year + 1, 0, 1);
  const result: ZoneSegment[] = [];
  let start = yearStart;
  while (start < yearEnd) {
    const offset = offsetAt(zone, start);
    const end = zone.isUniversal ? yearEnd : endOfOffset(zone, start, yearEnd, offset);
    const [offsetBefore, offsetAfter] = [offsetAt(zone, start - 1), offsetAt(zone, end)];
    result.push({ start, end, offset, offsetBefore, offsetAfter });
    start = end;
  }
  return result;
}

function endOfOffset(zone: Zone, start: number, limit: number, offset: number): number {
  for (let low = start; low < limit; low += SCAN_STEP_MS) {
    const high = Math.min(low + SCAN_STEP_MS, limit);
    if (offsetAt(zone, high) !== offset) return bisect(zone, low, high, offset);
  }
  return limit;
}

/** The first instant in (low, high] whose offset is not `offset`. */
function bisect(zone: Zone, low: number, high: number, offset: number): number {
  let [same, other] = [low, high];
  while (other - same > 1) {
    const middle = Math.floor((same + other) / 2);
    if (offsetAt(zone, middle) === offset) same = middle;
    else other = middle;
  }
  return other;
}

function offsetAt(zone: Zone, instant: number): number {
  return Math.round(zone.offset(instant) * 60_000);
}
