import type { DagRunState } from "../../../contracts/index.ts";
import type { NoRunReason, ReprocessBehavior } from "../../../store/index.ts";

/** Why a date whose run exists gets no new one; null = its run is to be processed again. As in Airflow. */
export function reasonToLeave(state: DagRunState, behavior: ReprocessBehavior): NoRunReason | null {
  if (state === "queued" || state === "running") return "in flight";
  if (behavior === "completed" || (behavior === "failed" && state === "failed")) return null;
  return "already exists";
}
