import { BaramError } from "../platform/index.ts";
import type { KnownCode } from "./error-statuses.ts";

/** Creates an error whose code has its own HTTP status. The caller throws it. */
export function refusal(code: KnownCode, message: string, facts: Record<string, unknown> = {}): BaramError {
  return new BaramError(code, message, facts);
}

export const noSuchDag = (dagId: string) =>
  refusal("dag_not_found", `There is no DAG "${dagId}". GET /api/v2/dags lists the ones there are.`, { dagId });

export const noSuchRun = (dagId: string, runId: string) =>
  refusal("dag_run_not_found", `DAG "${dagId}" has no run "${runId}".`, { dagId, runId });

export const noSuchInstance = (dagId: string, runId: string, taskId: string, mapIndex: number) =>
  refusal(
    "task_instance_not_found",
    `Run "${runId}" of DAG "${dagId}" has no task instance "${taskId}"${mapIndex >= 0 ? ` with map index ${mapIndex}` : ""}.`,
    { dagId, runId, taskId, mapIndex },
  );
