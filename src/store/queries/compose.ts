/**
 * Lists with optional filters: fragments of SQL written here in the store and joined as a request asks for. Values only ever
 * become parameters, and what may be ordered by is a table of fragments, so no text of a request becomes SQL.
 */
import {
  DummyDriver,
  sql as fragment,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type RawBuilder,
} from "kysely";
import type { Db, Row } from "../store.ts";

export type Fragment = RawBuilder<unknown>;

/** Only compiles SQL: the store sends it, with its retries and transactions. */
const compiler = new Kysely<Record<string, never>>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});

export async function send<R extends Row>(db: Db, query: Fragment): Promise<R[]> {
  const { sql, parameters } = query.compile(compiler);
  return (await db.query<R>(sql, parameters)).rows;
}

/** `key` is one of the list's own allow-list. */
export type Order<K extends string> = { key: K; descending: boolean };
export type Page<K extends string> = { limit: number; offset: number; order: readonly Order<K>[] };
export type Listed<R> = { rows: R[]; total: number };

/**
 * Rows are counted exactly up to here; above it the total is an estimate, since an exact count of millions of rows takes longer
 * than the page itself.
 */
export const COUNT_MAX = 20_000;

/**
 * How a page of a long table is read: its keys are selected first, from an index where there is one; only the rows shown are then
 * looked up and joined.
 * - `from`: the joins that the filter and the order need and no other. Even a LEFT JOIN that PostgreSQL removes prevents an
 *   index-only scan.
 * - `counted`: the joins that the filter alone needs.
 * - `shown`: continues from the keys, named `page`, with a LATERAL limited to one row. For a plain join the planner expects many
 *   rows.
 */
export type Chosen = { key: Fragment; from: Fragment; counted: Fragment; shown: Fragment };

/** From this offset on a page may be nearer to the end; pages before it need not wait for the total. */
const FAR_DOWN = 1_000;

/**
 * One page and the count of all. `from` joins with LEFT JOINs on unique keys, which PostgreSQL leaves out of the count and of the choice
 * where neither filter nor order needs them. The tie-break follows the first key's direction, so that an index can serve both.
 */
export async function readPage<R extends Row, K extends string>(
  db: Db,
  list: {
    columns: Fragment;
    from: Fragment;
    where: readonly Fragment[];
    page: Page<K>;
    orderable: Record<K, Fragment>;
    tieBreak: readonly Fragment[];
    chosen?: Chosen;
    /** The total, if it is known without counting. Pages in the second half are then read from the end. */
    total?: Promise<number>;
  },
): Promise<Listed<R>> {
  const { page, chosen } = list;
  const where = allOf(list.where);
  const order = orderOf(list.orderable, list.tieBreak, page);
  if (!chosen) {
    const rows = await send<R>(
      db,
      fragment`select ${list.columns} from ${list.from} where ${where} order by ${order} limit ${page.limit} offset ${page.offset}`,
    );
    return { rows, total: await countAll(db, list.from, where, page, rows.length) };
  }
  const known = page.offset >= FAR_DOWN ? await list.total : undefined;
  const keys =
    known !== undefined && page.offset > known / 2
      ? fragment`select ${chosen.key} from ${chosen.from} where ${where} order by ${orderOf(list.orderable, list.tieBreak, page, true)}
                  limit ${Math.max(Math.min(known - page.offset, page.limit), 0)} offset ${Math.max(known - page.offset - page.limit, 0)}`
      : fragment`select ${chosen.key} from ${chosen.from} where ${where} order by ${order} limit ${page.limit} offset ${page.offset}`;
  const showing = send<R>(db, fragment`select ${list.columns} from (${keys}) page ${chosen.shown} order by ${order}`);
  if (!list.total) {
    const rows = await showing;
    return { rows, total: await countAll(db, chosen.counted, where, page, rows.length) };
  }
  const [rows, total] = await Promise.all([showing, list.total]);
  return { rows, total };
}

/**
 * Exact up to COUNT_MAX. Above it the planner's estimate, but never less than the page shows, so that a client that reads on up to
 * the total misses nothing.
 */
export async function countAll(db: Db, from: Fragment, where: Fragment, page: Page<string>, shown: number): Promise<number> {
  const isLast = shown < page.limit && (shown > 0 || page.offset === 0);
  if (isLast) return page.offset + shown;
  const counted = await send<{ total: number }>(
    db,
    fragment`select count(*)::int as total from (select 1 from ${from} where ${where} limit ${COUNT_MAX + 1}) counted`,
  );
  const total = counted[0]?.total ?? 0;
  if (total <= COUNT_MAX) return total;
  const explained = await send<{ "QUERY PLAN": readonly { Plan: { "Plan Rows": number } }[] }>(
    db,
    fragment`explain (format json) select 1 from ${from} where ${where}`,
  );
  const estimate = explained[0]?.["QUERY PLAN"][0]?.Plan["Plan Rows"] ?? 0;
  const more = page.limit > 0 && shown === page.limit ? 1 : 0;
  return Math.max(estimate, COUNT_MAX + 1, shown > 0 ? page.offset + shown + more : 0);
}

/** `isReversed`: from the end. Nulls come last in ascending order and first in descending order, so an index serves both. */
export function orderOf<K extends string>(
  orderable: Record<K, Fragment>,
  tieBreak: readonly Fragment[],
  page: Page<K>,
  isReversed = false,
): Fragment {
  const descending = page.order[0]?.descending ?? false;
  return fragment.join([
    ...page.order.map((one) => directed(orderable[one.key], one.descending !== isReversed)),
    ...tieBreak.map((one) => directed(one, descending !== isReversed)),
  ]);
}

function directed(expression: Fragment, descending: boolean): Fragment {
  return descending ? fragment`${expression} desc` : fragment`${expression} asc`;
}

export function allOf(conditions: readonly Fragment[]): Fragment {
  return conditions.length === 0 ? fragment`true` : fragment.join([...conditions], fragment` and `);
}

export type Range<T> = { gte?: T; gt?: T; lte?: T; lt?: T };

export function within<T extends Date | number>(expression: Fragment, range: Range<T> | undefined): Fragment[] {
  if (!range) return [];
  const conditions: Fragment[] = [];
  if (range.gte !== undefined) conditions.push(fragment`${expression} >= ${range.gte}`);
  if (range.gt !== undefined) conditions.push(fragment`${expression} > ${range.gt}`);
  if (range.lte !== undefined) conditions.push(fragment`${expression} <= ${range.lte}`);
  if (range.lt !== undefined) conditions.push(fragment`${expression} < ${range.lt}`);
  return conditions;
}

/** `%` and `_` are wildcards, `|` means or, and the text may stand anywhere, as in Airflow. */
export function matching(expression: Fragment, pattern: string | undefined): Fragment[] {
  if (pattern === undefined || pattern === "~") return [];
  const parts = pattern
    .split("|")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  if (parts.length === 0) return [];
  const patterns = parts.map((part) => `%${part}%`);
  return [fragment`${expression} ilike any(${patterns}::text[])`];
}

/** The text as it is at the start; `%` and `_` are themselves. */
export function startingWith(expression: Fragment, prefix: string | undefined): Fragment[] {
  return prefix === undefined ? [] : [fragment`starts_with(${expression}, ${prefix})`];
}

export function oneOf(expression: Fragment, values: readonly (string | number)[] | undefined): Fragment[] {
  if (values === undefined || values.length === 0) return [];
  const numbers = values.every((value) => typeof value === "number");
  return [numbers ? fragment`${expression} = any(${[...values]}::int[])` : fragment`${expression} = any(${[...values]}::text[])`];
}

/** As `oneOf`, where null is asked for as "none". */
export function oneOfOrNone(expression: Fragment, values: readonly string[] | undefined): Fragment[] {
  if (!values?.includes("none")) return oneOf(expression, values);
  return [fragment`(${expression} is null or ${expression} = any(${values.filter((value) => value !== "none")}::text[]))`];
}

export { fragment as sql };
