import { type Db, mapLengths } from "../store/index.ts";
import { type Decisions, judge, type RunPicture, tellLengths } from "./core/run-picture.ts";

/** Reads the lengths of results only if a task must be expanded over them, with one more statement. */
export async function judgeWithLengths(
  tx: Db,
  dagRunId: number,
  picture: RunPicture,
  isHeld: (task: number) => boolean,
): Promise<Decisions> {
  const all: Decisions = { expansions: [], changes: [] };
  for (;;) {
    const { expansions, changes } = judge(picture, isHeld);
    all.expansions.push(...expansions);
    all.changes.push(...changes);
    if (picture.wanted.size === 0) return all;
    const sources = [...picture.wanted].map((task) => ({ dagRunId, taskId: picture.graph.tasks[task]?.taskId ?? "" }));
    tellLengths(picture, new Map((await mapLengths(tx, sources)).map(({ taskId, length }) => [taskId, length])));
  }
}
