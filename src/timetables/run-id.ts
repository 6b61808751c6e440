import type { DagRunType } from "../contracts/index.ts";

/**
 * A run id in Airflow's format: `scheduled__2026-01-01T00:00:00+00:00`, from the run's type and an instant in epoch ms
 * (`runAfter`; equal to the logical date if the schedule has no data intervals). Runs without a logical date pass a random
 * `suffix`, since several may have the same instant.
 */
export function runIdFor(type: DagRunType, instant: number, suffix?: string): string {
  const id = `${type}__${isoformat(instant)}`;
  return suffix ? `${id}_${suffix}` : id;
}

/** Python's `datetime.isoformat()` in UTC: no fraction if it is zero, otherwise six digits. */
function isoformat(instant: number): string {
  const iso = new Date(instant).toISOString();
  return iso.endsWith(".000Z") ? `${iso.slice(0, -5)}+00:00` : `${iso.slice(0, -1)}000+00:00`;
}
