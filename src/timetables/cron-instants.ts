// The instants of a cron expression in a time zone: a fixed set that does not depend on the starting instant.
//
// The expression is matched on wall-clock time; this file defines the meaning of a wall time when the clock is changed.
// It is Airflow's policy in exact form:
//
// - Hour field open (`*/15 * * * *`, `30 * * * *`): the schedule is a rhythm. Every real instant at which the wall clock
//   reads a matching time counts, so the repeated hour runs twice, the skipped hour not at all, and the real distance of
//   `*/15` stays 15 minutes throughout. Where the shift is no multiple of the rhythm (Lord Howe's 30 minutes and an
//   hourly schedule), one distance is longer by the shift; none is zero or doubled.
// - Hour field closed (`30 2 * * *`, `0 */6 * * *`): the schedule is a time of day, and each matching wall time runs
//   exactly once. A skipped time runs shifted forward by the length of the gap (02:30 becomes 03:30); a repeated time
//   runs at its second occurrence, as Airflow's `make_aware` chooses. Two wall times that fall on one instant
//   (`0 2,3 * * *` in the gap) are one run.
//
// So results are strictly increasing, and no interval between two of them is empty. cron-parser's own time zone support
// is not used: it repeats or drops runs at these points, and it depends on where the iteration started.

import type { Zone } from "luxon";
import { BaramError } from "../platform/index.ts";
import { compileCron, type WallCron } from "./cron-expression.ts";
import type { Period } from "./run-instants.ts";
import { findZone, segmentAt, type ZoneSegment } from "./zone-segments.ts";

/** Segments are at least one a year: an expression with no match in this many is unreachable. */
const MAX_SEGMENTS = 400;

/** The period of a cron expression. Throws `timetable_invalid` for a bad expression or zone. */
export function cronPeriod(expression: string, timezone: string): Period {
  const cron = compileCron(expression);
  const zone = findZone(timezone);
  if (!zone) throw new BaramError("timetable_invalid", `unknown time zone "${timezone}"`, { timezone });
  const next = (instant: number) => findNext(cron, zone, instant);
  const previous = (instant: number) => findPrevious(cron, zone, instant);
  // Matches lie on whole milliseconds, so one millisecond turns "strictly after" into "at or after".
  return { next, previous, alignToNext: (at) => next(at - 1), alignToPrevious: (at) => previous(at + 1) };
}

function findNext(cron: WallCron, zone: Zone, instant: number): number {
  let after = instant;
  let segment = segmentAt(zone, after + 1);
  for (let i = 0; i < MAX_SEGMENTS; i++) {
    const plain = cron.next(after + segment.offset) - segment.offset;
    const candidates = plain < firstPassStart(cron, segment) ? [plain] : [];
    const gapEnd = shiftedGapEnd(cron, segment);
    if (after < gapEnd) {
      const shifted = cron.next(Math.max(after, segment.start - 1) + segment.offsetBefore) - segment.offsetBefore;
      if (shifted < gapEnd) candidates.push(shifted);
    }
    if (candidates.length > 0) return Math.min(...candidates);
    after = segment.end - 1;
    segment = segmentAt(zone, segment.end);
  }
  throw unreachable(zone, instant);
}

function findPrevious(cron: WallCron, zone: Zone, instant: number): number {
  let before = instant;
  let segment = segmentAt(zone, before - 1);
  for (let i = 0; i < MAX_SEGMENTS; i++) {
    const bound = Math.min(before, firstPassStart(cron, segment));
    const plain = cron.previous(bound + segment.offset) - segment.offset;
    const candidates = plain >= segment.start ? [plain] : [];
    const gapEnd = shiftedGapEnd(cron, segment);
    if (gapEnd > segment.start) {
      const shifted = cron.previous(Math.min(before, gapEnd) + segment.offsetBefore) - segment.offsetBefore;
      if (shifted >= segment.start) candidates.push(shifted);
    }
    if (candidates.length > 0) return Math.max(...candidates);
    before = segment.start;
    segment = segmentAt(zone, segment.start - 1);
  }
  throw unreachable(zone, instant);
}

/** Where the segment stops counting: its end, or for a time of day the start of the stretch that will be repeated. */
function firstPassStart(cron: WallCron, segment: ZoneSegment): number {
  if (cron.coversEveryHour) return segment.end;
  return segment.end - Math.max(0, segment.offset - segment.offsetAfter);
}

/** End of the stretch after a gap into which the skipped times of day are shifted; the segment's start when there is none. */
function shiftedGapEnd(cron: WallCron, segment: ZoneSegment): number {
  if (cron.coversEveryHour) return segment.start;
  return segment.start + Math.max(0, segment.offset - segment.offsetBefore);
}

function unreachable(zone: Zone, instant: number): BaramError {
  const at = new Date(instant).toISOString();
  return new BaramError("timetable_invalid", `the cron expression names no instant in ${zone.name} near ${at}`, { instant });
}
