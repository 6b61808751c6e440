/** The simulator's tables: only the columns that the scheduler's statements use. */
import type { DagRunState, TaskInstanceState } from "../../src/contracts/index.ts";

export type RunRow = {
  id: number;
  dagId: string;
  runId: string;
  versionId: string;
  state: DagRunState;
  logicalDate: Date;
  runAfter: Date;
  evaluation: number;
  clearNumber: number;
  nextScanAt: number | null;
  decidedAt: number | null;
};

export type InstanceRow = {
  id: string;
  dagRunId: number;
  dagId: string;
  runId: string;
  taskId: string;
  mapIndex: number;
  state: TaskInstanceState | null;
  tryNumber: number;
  maxTries: number;
  retries: number;
  pool: string;
  poolSlots: number;
  priorityWeight: number;
  maxActiveTisPerDag: number | null;
  maxActiveTisPerDagrun: number | null;
  nextAttemptAt: number | null;
  scheduledAt: number | null;
  queuedAt: number | null;
  queuedBy: number | null;
  heartbeatAt: number | null;
  queueAttempts: number;
  rescheduleCount: number;
  startedBy: string | null;
};

/** A row of the outbox; without a task it refers to the whole run. */
export type EventRow = { id: number; dagRunId: number; taskId: string | null; mapIndex: number; state: TaskInstanceState | null };
export type JobRow = { id: number; state: "running" | "failed"; heartbeatAt: number };

export type Tables = { run: RunRow; instance: InstanceRow; event: EventRow; job: JobRow };
export type TableName = keyof Tables;

export function instanceKey(row: { dagRunId: number; taskId: string; mapIndex: number }): string {
  return `${row.dagRunId}/${row.taskId}/${row.mapIndex}`;
}

export const ACTIVE: readonly (TaskInstanceState | null)[] = ["queued", "running", "restarting"];
