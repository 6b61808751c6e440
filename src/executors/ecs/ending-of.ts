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
  const reason = `ECS task ${task.taskArn?.split("/").at(-1) ?? "?"} stopped: ${parts.filter(Boolean).join("; ")}`;
  return { ranNothing: exitCode === null && task.startedAt === undefined, exitCode, reason };
}

function meaningOf(exitCode: number): string {
  if (exitCode === 137) return " (SIGKILL: out of memory, or it did not stop in time)";
  if (exitCode === 143) return " (SIGTERM)";
  return "";
}
