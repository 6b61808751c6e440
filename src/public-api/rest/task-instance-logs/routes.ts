import { z } from "@hono/zod-openapi";
import { INT4_MAX, isTerminal } from "../../../contracts/index.ts";
import { logPathOf } from "../../../scheduler/commands/index.ts";
import { findTriesOf, type InstanceRow, type TryRow } from "../../../store/index.ts";
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
      summary: "The log of a try. While continuation_token is not null, there are or may be further lines",
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
      const found = await mustFindTry(instance, tryNumber);
      const goesOn = !isTerminal(found.state);
      const path = logPathOf({ dagId, runId, taskId, mapIndex, tryNumber });
      const start = readContinuation(path, query.token);
      if (/\bapplication\/x-ndjson\b/.test(c.req.header("accept") ?? "")) {
        const stream = streamOf(logs, path, start, query.full_content ?? false, (lines) => (goesOn ? [] : endOf(found, lines)));
        return c.body(stream, 200, { "content-type": "application/x-ndjson" });
      }
      const page = await readSome(logs, path, start, query.full_content ? FULL_MAX_BYTES : FRAGMENT_BYTES);
      const isDone = page.isEnd && !goesOn;
      const missing = { level: "warn", event: `There is no log of this try at ${logs.source}.` };
      return {
        content: [...(page.found ? page.lines.map(shown) : goesOn ? [] : [missing]), ...(isDone ? endOf(found, page.lines) : [])],
        continuation_token: isDone ? null : writeContinuation(path, page.offset),
      };
    },
  );

  /** Throws `try_not_found` if the task instance had no such try. */
  async function mustFindTry(instance: InstanceRow, tryNumber: number): Promise<TryRow> {
    const { dagRunId, taskId, mapIndex, runId } = instance;
    const tries = await findTriesOf(store, dagRunId, taskId, mapIndex);
    const found = tries.findLast((one) => one.tryNumber === tryNumber);
    if (!found) {
      throw refusal(
        "try_not_found",
        `Task "${taskId}" of run "${runId}" has no try ${tryNumber}${tries.length > 0 ? `; it has ${tries.length}` : ": it was not started yet"}.`,
      );
    }
    return found;
  }
}

/**
 * The line that says who or what ended the try. A queued, deferred or rescheduled try has no worker that could write it, and a worker
 * may be gone. Nothing is added if the worker or the scheduler has written the reason already.
 */
function endOf({ stopReason, endDate }: TryRow, lines: readonly LogLine[]): z.infer<typeof line>[] {
  if (stopReason === null || lines.some(({ event }) => event.includes(stopReason))) return [];
  const timestamp = endDate === null ? {} : { timestamp: endDate.toISOString() };
  return [{ ...timestamp, level: "warn", logger: "baram", event: `The try was ended: ${stopReason}.` }];
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
function streamOf(
  logs: LogStore,
  path: string,
  start: number,
  whole: boolean,
  endAfter: (last: readonly LogLine[]) => z.infer<typeof line>[],
): ReadableStream<Uint8Array> {
  let offset = start;
  const encoder = new TextEncoder();
  const encode = (some: readonly object[]) => encoder.encode(some.map((one) => `${JSON.stringify(one)}\n`).join(""));
  return new ReadableStream({
    async pull(controller) {
      const page = await logs.read(path, offset, FRAGMENT_BYTES);
      const lines = page.lines ?? [];
      if (lines.length > 0) controller.enqueue(encode(lines.map(shown)));
      const isStuck = page.offset === offset;
      offset = page.offset;
      if (!page.isEnd && !isStuck && whole) return;
      const end = page.isEnd || isStuck ? endAfter(lines) : [];
      if (end.length > 0) controller.enqueue(encode(end));
      controller.close();
    },
  });
}

/** A line that is not a log record, for example a native library's output, has no timestamp. */
function shown({ timestamp, ...rest }: LogLine): z.infer<typeof line> {
  return timestamp === "" ? rest : { timestamp, ...rest };
}
