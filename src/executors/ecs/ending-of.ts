import type { Task } from "@aws-sdk/client-ecs";

/** How an ECS task ended. `ranNothing`: its container certainly never ran, so nothing of the try ran. */
export type Ending = { ranNothing: boolean; exitCode: number | null; reason: string };

/** null: it has not ended yet. */
export function endingOf(task: Task, containerName: string): Ending | null {
  if (task.lastStatus !== "STOPPED") return null;
  const container = task.containers?.find(({ name }) => name === containerName);
  const exitCode = container?.exitCode ?? null;
  const isSpot = task.stopCode === "SpotInterruption";
  const parts = [
    isSpot ? "AWS took its Spot capacity back (SpotInterruption)" : task.stopCode,
    task.stoppedReason,
    exitCode === null ? "its container never ran or left no exit code" : `exit code ${exitCode}${meaningOf(exitCode)}`,
    container?.reason,
  ];
  const reason = `ECS task ${task.taskArn ?? "?"} stopped: ${parts.filter(Boolean).join("; ")}`;
  return { ranNothing: exitCode === null && task.startedAt === undefined, exitCode, reason };
}

function meaningOf(exitCode: number): string {
  if (exitCode === 1) return " (its worker could not reach the API or was refused there; the container's log says why)";
  if (exitCode === 2)
    return " (its worker does not understand the workload or the URL: its image may have another release of Baram)";
  if (exitCode === 137) return " (SIGKILL: out of memory, or it did not stop in time)";
  if (exitCode === 143) return " (SIGTERM)";
  return "";
}
