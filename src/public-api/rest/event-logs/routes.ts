import { z } from "@hono/zod-openapi";
import { INT4_MAX } from "../../../contracts/index.ts";
import { hideSecrets, type NameRule } from "../../../platform/index.ts";
import {
  EVENT_FILTER_KEYS,
  EVENT_ORDER_KEYS,
  type EventFilterKey,
  type EventRow,
  findEvent,
  listEvents,
} from "../../../store/index.ts";
import { mayAct, type User } from "../../auth/index.ts";
import { type Api, endpoint } from "../../endpoint.ts";
import { refusal } from "../../refuse.ts";
import { count, instant, integer, iso, isoOrNull, many, mapIndexField, text, when } from "../fields.ts";
import { orderField, pageFields, readPageQuery } from "../paging.ts";

const tag = "Event logs";
const eventShape = z
  .object({
    event_log_id: z.int(),
    when,
    dag_id: z.string().nullable(),
    task_id: z.string().nullable(),
    run_id: z.string().nullable(),
    map_index: z.int().nullable(),
    try_number: z.int().nullable(),
    event: z.string(),
    logical_date: when.nullable(),
    owner: z.string().nullable(),
    extra: z.string().nullable(),
    dag_display_name: z.string().nullable(),
    task_display_name: z.string().nullable(),
  })
  .openapi("EventLogResponse");

type FilterShape = Record<EventFilterKey | `${EventFilterKey}_pattern`, z.ZodOptional<z.ZodString>>;
const filters = Object.fromEntries(
  EVENT_FILTER_KEYS.flatMap((key) => [
    [key, text.optional()],
    [`${key}_pattern`, text.optional()],
  ]),
) as FilterShape;

export function eventLogRoutes(api: Api): void {
  endpoint(
    api,
    "get /api/v2/eventLogs",
    {
      tag,
      summary: "The audit log: actions of users and of the platform; entries that belong to no DAG need the role op",
      access: "viewer",
      query: z.object({
        ...pageFields,
        ...orderField,
        ...filters,
        map_index: mapIndexField.optional(),
        try_number: integer(0, INT4_MAX).optional(),
        included_events: many(text),
        excluded_events: many(text),
        before: instant.optional(),
        after: instant.optional(),
      }),
      answer: z.object({ event_logs: z.array(eventShape), total_entries: count }).openapi("EventLogCollectionResponse"),
    },
    async ({ query, resources, options, user }) => {
      const picked = (suffix: "" | "_pattern") =>
        Object.fromEntries(EVENT_FILTER_KEYS.map((key) => [key, query[`${key}${suffix}`]]));
      const filter = {
        equal: picked(""),
        patterns: picked("_pattern"),
        mapIndex: query.map_index,
        tryNumber: query.try_number,
        included: query.included_events,
        excluded: query.excluded_events,
        before: query.before,
        after: query.after,
        isOfDagsOnly: !seesAll(user),
      };
      const { rows, total } = await listEvents(resources.store, filter, readPageQuery(query, options, EVENT_ORDER_KEYS));
      return { event_logs: rows.map((row) => toEvent(row, options.isSensitiveName)), total_entries: total };
    },
  );

  endpoint(
    api,
    "get /api/v2/eventLogs/{event_log_id}",
    {
      tag,
      summary: "One entry of the audit log",
      access: "viewer",
      params: z.object({ event_log_id: integer(0, Number.MAX_SAFE_INTEGER) }),
      answer: eventShape,
    },
    async ({ params, resources, options, user }) => {
      const row = await findEvent(resources.store, params.event_log_id);
      if (!row || (row.dagId === null && !seesAll(user)))
        throw refusal("event_log_not_found", `There is no event log ${params.event_log_id}.`);
      return toEvent(row, options.isSensitiveName);
    },
  );
}

/** Entries without a DAG name connections, variables and users, which the lower roles cannot list. */
function seesAll(user: User): boolean {
  return mayAct(user.role, "op");
}

function toEvent(row: EventRow, rule: NameRule): z.infer<typeof eventShape> {
  return {
    event_log_id: row.id,
    when: iso(row.when),
    dag_id: row.dagId,
    task_id: row.taskId,
    run_id: row.runId,
    map_index: row.mapIndex,
    try_number: row.tryNumber,
    event: row.event,
    logical_date: isoOrNull(row.logicalDate),
    owner: row.owner,
    extra: row.extra === null ? null : JSON.stringify(hideSecrets(row.extra, rule)),
    dag_display_name: row.dagDisplayName,
    task_display_name: row.taskId,
  };
}
