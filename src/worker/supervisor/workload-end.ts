import type { ApiRefusal } from "./api-client.ts";

/**
 * How a workload ended for the supervisor.
 * - reported: its end is stored.
 * - refused: the API said that the workload is not this worker's, or not any more. `status` and `code` are the API's answer; `status` is null
 *   if a heartbeat said so. `previousState`: the try's state, if it could not start.
 * - unreported: its end could not be reported.
 */
export type WorkloadEnd =
  | { how: "reported" }
  | { how: "refused"; status: number | null; code: string; message: string; previousState?: string | null }
  | { how: "unreported"; message: string };

export function refusalOf({ status, code, message, facts }: ApiRefusal): WorkloadEnd {
  const { previousState } = facts as { previousState?: string | null };
  return { how: "refused", status, code, message, ...(previousState === undefined ? {} : { previousState }) };
}
