import { z } from "zod";

/**
 * Ids of DAGs, tasks, task groups, XCom keys and pools: as in Airflow, and without path and shell characters. `.` and `..` are
 * excluded, since clients resolve these path segments before they send a request, so REST could not address such an id.
 */
const ID_PATTERN = /^(?!\.\.?$)[A-Za-z0-9_.-]{1,250}$/;
/** Run ids hold instants, so `:` `+` `~` are allowed too (Airflow's `allowed_run_id_pattern`). `~` alone means all runs in REST paths. */
const RUN_ID_PATTERN = /^(?![.~]$)[A-Za-z0-9_.~:+-]{1,250}$/;

export const ID_RULE = "letters, digits, '_', '.' and '-', 1 to 250 of them, and not '.' or '..'";

/** Whether REST can address this name in a path. For names with looser rules, such as variables and pools. */
export function isReachable(name: string): boolean {
  return name !== "." && name !== "..";
}
export const REACHABLE_RULE = "must not be '.' or '..', which no path can name";

export const idSchema = z.string().regex(ID_PATTERN, `must be made of ${ID_RULE}`);
export const runIdSchema = z
  .string()
  .regex(RUN_ID_PATTERN, "must be made of letters, digits and '_.~:+-', 1 to 250 of them, and not be '.' or '~'")
  .refine((id) => !id.includes(".."), "must not contain '..'");

/** Maximum number of characters of a note on a DAG run or task instance, as in Airflow. */
export const NOTE_MAX = 1_000;

export function isValidId(id: string): boolean {
  return ID_PATTERN.test(id);
}
