import { type DagRunState, NOTE_MAX } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";
import { RUN_COLUMNS, type RunFacts } from "./find-run.ts";
import { withLine } from "./note-line.ts";

const setState = {
  name: "set-run-state",
  text: `
update dag_run set state = $2, evaluation = evaluation + 1, updated_at = now(), next_scan_at = null,
       start_date = coalesce(start_date, now()), end_date = now()
 where id = $1`,
};

/** Ends the run by hand; `evaluation` moves, so no scheduler goes on with what it remembers of it. */
export async function endRun(tx: Db, dagRunId: number, state: Extract<DagRunState, "success" | "failed">): Promise<void> {
  await tx.query(setState, [dagRunId, state]);
}

const endAfterTeardowns = {
  name: "end-run-after-teardowns",
  text: "update dag_run set ends_as = $2, evaluation = evaluation + 1, next_scan_at = now(), updated_at = now() where id = $1",
};

/** As `endRun`, for a run with teardowns that are still to run: it ends after them. */
export async function endRunAfterTeardowns(
  tx: Db,
  dagRunId: number,
  state: Extract<DagRunState, "success" | "failed">,
): Promise<void> {
  await tx.query(endAfterTeardowns, [dagRunId, state]);
}

const unfinished = {
  name: "has-unfinished",
  text: `select 1 from task_instance
          where dag_run_id = $1 and (state is null or state not in ('success', 'failed', 'skipped', 'upstream_failed', 'removed')) limit 1`,
};

export async function hasUnfinished(tx: Db, dagRunId: number): Promise<boolean> {
  return (await tx.query(unfinished, [dagRunId])).rowCount === 1;
}

export async function setRunNote(db: Db, dagRunId: number, note: string | null): Promise<void> {
  await db.query({ name: "set-run-note", text: "update dag_run set note = $2, updated_at = now() where id = $1" }, [
    dagRunId,
    note,
  ]);
}

/** $1 dag run, $2 a line, $3 characters that a note may have. */
const addNote = {
  name: "add-run-note",
  text: `
update dag_run set note = ${withLine("note", "$2", "$3")}, updated_at = now() where id = $1`,
};

/** Appends a line to the run's note if there is room: a note written by a user is not truncated for it. The same line is not repeated. */
export async function addRunNote(tx: Db, dagRunId: number, line: string): Promise<void> {
  await tx.query(addNote, [dagRunId, line, NOTE_MAX]);
}

/** With its task instances, their history and XComs. */
export async function deleteRun(tx: Db, dagRunId: number): Promise<void> {
  await tx.query({ name: "delete-run", text: "delete from dag_run where id = $1" }, [dagRunId]);
}

/** $1 dag, $2..$3 logical dates from and to (null = open), $4 limit. In the order of their keys: two such locks cannot deadlock. */
const inRange = {
  name: "lock-runs-in-range",
  text: `select ${RUN_COLUMNS} from dag_run r
          where r.dag_id = $1 and ($2::timestamptz is null or r.logical_date >= $2) and ($3::timestamptz is null or r.logical_date <= $3)
          order by r.id limit $4 for no key update`,
};

export type RunRange = { dagId: string; from: Date | null; to: Date | null };

export async function lockRunsInRange(tx: Db, range: RunRange, limit: number): Promise<RunFacts[]> {
  return (await tx.query<RunFacts>(inRange, [range.dagId, range.from, range.to, limit])).rows;
}
