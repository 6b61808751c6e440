/** `code` is stable; `message` is a complete sentence that names the DAG, the place and the value. */
export type DagProblem = { code: DagProblemCode; message: string; taskId: string | null };
export type DagProblemCode =
  | "invalid_id"
  | "too_many_tasks"
  | "duplicate_task"
  | "unknown_upstream"
  | "unknown_input"
  | "unknown_task_group"
  | "invalid_task_group"
  | "unknown_mapping"
  | "nested_mapping"
  | "mapping_too_long"
  | "cycle"
  | "invalid_schedule"
  | "invalid_dates";
