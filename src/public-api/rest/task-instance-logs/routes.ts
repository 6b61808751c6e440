import { z } from "@hono/zod-openapi";
import { INT4_MAX, isTerminal } from "../../../contracts/index.ts";
import { logPathOf } from "../../../scheduler/commands/index.ts";
import { findTriesOf, type InstanceRow } from "../../../store/index.ts";
import type { LogLine, LogStore } from "../../../task-logs/index.ts";
import { type Api, endpoint } from "../../endpoint.ts";
import { refusal } from "../../refuse.ts";
import { flag, integer, mapIndexField, taskPath, text } from "../fields.ts";
import { mustFindInstance } from "../task-instances/find-instance.ts";
import { readContinuation, writeContinuation } from "./continuation.ts";

const line = z.looseObject({ timestamp: z.string().optional(), event: z.string() }).openapi("StructuredLogMessage");
const logShape = z
  .object({ content: z.array(line), continuation_token: z.string().nullable() })
  .openapi("TaskInstancesLogResponse");

/** Size of a fragment: the part of a log that an answer holds in memory. */
const FRAGMENT_BYTES = 1024 * 1024;
/** Limit of a `full_content` answer as one JSON document; NDJSON has none. */
const FULL_MAX_BYTES = 16 * FRAGMENT_BYTES;

export function logRoutes(api: Api): void {
  const { store, logs } = api.resources;
  endpoint(
    api,
    "get /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/logs/{try_number}",
    {
      tag: "Task instances",
      summary: "The log of a try. While continuation_token is not null there is, or may come, more",
      access: "viewer",
      params: taskPath.extend({ try_number: integer(0, INT4_MAX) }),
      query: z.object({ full_content: flag.optional(), map_index: mapIndexField.optional(), token: text.optional() }),
      answer: logShape,
      alsoAnswers: ["application/x-ndjson"],
    },
    async ({ params, query, c }) => {
      const { dag_id: dagId, dag_run_id: runId, task_id: taskId, try_number: tryNumber } = params;
      const mapIndex = query.map_index ?? -1;
      const instance = await mustFindInstance(store, params, mapIndex);
      const goesOn = await isUnfinishedTry(instance, tryNumber);
      const path = logPathOf({ dagId, runId, taskId, mapIndex, tryNumber });
      const start = readContinuation(path, query.token);
      if (/\bapplication\/x-ndjson\b/.test(c.req.header("accept") ?? "")) {
        const stream = streamOf(logs, path, start, query.full_content ?? false);
        return c.body(stream, 200, { "content-type": "application/x-ndjson" });
      }
      const page = await readSome(logs, path, start, query.full_content ? FULL_MAX_BYTES : FRAGMENT_BYTES);
      const isDone = page.isEnd && !goesOn;
      const missing = { level: "warn", event: `There is no log of this try at ${logs.source}.` };
      return {
        content: page.found ? page.lines.map(shown) : goesOn ? [] : [missing],
        continuation_token: isDone ? null : writeContinuation(path, page.offset),
      };
    },
  );

  /** Whether the try's log may still grow. Throws `try_not_found` if the task instance had no such try. */
  async function isUnfinishedTry(instance: InstanceRow, tryNumber: number): Promise<boolean> {
    const { dagRunId, taskId, mapIndex, runId } = instance;
    const tries = await findTriesOf(store, dagRunId, taskId, mapIndex);
    const found = tries.findLast((one) => one.tryNumber === tryNumber);
    if (!found) {
      throw refusal(
        "try_not_found",
        `Task "${taskId}" of run "${runId}" has no try ${tryNumber}${tries.length > 0 ? `; it has ${tries.length}` : ": it was not started yet"}.`,
      );
    }
    return !isTerminal(found.state);
  }
}

async function readSome(logs: LogStore, path: string, start: number, maxBytes: number) {
  const lines: LogLine[] = [];
  let offset = start;
  for (;;) {
    const page = await logs.read(path, offset, FRAGMENT_BYTES);
    if (page.lines === null) return { lines, offset, isEnd: true, found: false };
    lines.push(...page.lines);
    const isStuck = page.offset === offset;
    offset = page.offset;
    // The offset stays before an unfinished last line: a later call returns that line.
    if (page.isEnd || isStuck || offset - start >= maxBytes) return { lines, offset, isEnd: page.isEnd || isStuck, found: true };
  }
}

/** Reads only as fast as the client does, so a log of any size needs the memory of one fragment. */
function streamOf(logs: LogStore, path: string, start: number, whole: boolean): ReadableStream<Uint8Array> {
  let offset = start;
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const page = await logs.read(path, offset, FRAGMENT_BYTES);
      const lines = page.lines ?? [];
      if (lines.length > 0) controller.enqueue(encoder.encode(lines.map((one) => `${JSON.stringify(shown(one))}\n`).join("")));
      const isStuck = page.offset === offset;
      offset = page.offset;
      if (page.isEnd || isStuck || !whole) controller.close();
    },
  });
}

/** A line that is not a log record, for example a native library's output, has no timestamp. */
function shown({ timestamp, ...rest }: LogLine): z.infer<typeof line> {
  return timestamp === "" ? rest : { timestamp, ...rest };
}
