import { z } from "@hono/zod-openapi";
import type { Order, Page } from "../../store/index.ts";
import { refuseEmptyFilters } from "../read-request.ts";
import { refusal } from "../refuse.ts";
import type { PublicApiOptions } from "../resources.ts";
import { integer, many, text } from "./fields.ts";

const ORDER_KEYS_MAX = 10;

/** A larger limit is reduced to the maximum, as in Airflow; a negative one is refused. */
export const pageFields = {
  limit: integer(0, Number.MAX_SAFE_INTEGER).optional(),
  offset: integer(0, Number.MAX_SAFE_INTEGER).optional(),
};
export const orderField = { order_by: many(text) };

export type PageQuery = { limit?: number; offset?: number; order_by?: string[] };

/** `-key` = descending. Keys that are not in `keys` are refused with 400. */
export function readPageQuery<K extends string>(
  query: PageQuery,
  options: PublicApiOptions,
  keys: readonly K[],
  fallback: readonly Order<K>[] = [],
): Page<K> {
  const given = (query.order_by ?? []).flatMap((text) => text.split(",")).filter((text) => text !== "");
  if (given.length > ORDER_KEYS_MAX) throw refusal("order_by_unknown", `order_by may name at most ${ORDER_KEYS_MAX} keys.`);
  const order = given.map((text) => {
    const descending = text.startsWith("-");
    const name = descending ? text.slice(1) : text;
    const key = keys.find((one) => one === name);
    if (!key) throw refusal("order_by_unknown", `order_by "${name.slice(0, 60)}" is not known here; known: ${keys.join(", ")}.`);
    return { key, descending };
  });
  return {
    limit: Math.min(query.limit ?? options.fallbackPageLimit, options.maximumPageLimit),
    offset: query.offset ?? 0,
    order: order.length > 0 ? order : fallback,
  };
}

const maskField = z.object({ update_mask: many(text) });
export const updateMask = maskField.shape;

/** The fields of `body` that the mask names; without a mask, all fields of the body. Unknown names in the mask: 400; an empty mask: 422. */
export function masked<T extends object>(body: T, mask: readonly string[] | undefined, known: readonly string[]): Partial<T> {
  refuseEmptyFilters({ update_mask: mask }, ["update_mask"]);
  const names = mask?.flatMap((text) => text.split(",")).filter((text) => text !== "") ?? [];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw refusal(
      "update_mask_unknown",
      `update_mask names "${unknown.slice(0, 60)}", which cannot be changed; known: ${known.join(", ")}.`,
    );
  if (names.length === 0) return body;
  return Object.fromEntries(Object.entries(body).filter(([key]) => names.includes(key))) as Partial<T>;
}
