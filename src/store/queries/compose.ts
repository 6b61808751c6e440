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

/** Only compiles: sending is the store's, with its retries and transactions. */
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

/** Counting stops here: an exact count of a table of millions takes longer than the page itself. */
export const COUNT_MAX = 100_000;

/**
 * One page and the count of all. `from` joins with LEFT JOINs on unique keys, which PostgreSQL leaves out of the count
 * where no filter needs them. The tie-break follows the first key's direction, so that an index can serve both.
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
  },
): Promise<Listed<R>> {
  const { page } = list;
  const where = allOf(list.where);
  const descending = page.order[0]?.descending ?? false;
  const order = [
    ...page.order.map((one) => directed(list.orderable[one.key], one.descending)),
    ...list.tieBreak.map((one) => directed(one, descending)),
  ];
  const rows = await send<R>(
    db,
    fragment`select ${list.columns} from ${list.from} where ${where} order by ${fragment.join(order)} limit ${page.limit} offset ${page.offset}`,
  );
  const counted = await send<{ total: number }>(
    db,
    fragment`select count(*)::int as total from (select 1 from ${list.from} where ${where} limit ${COUNT_MAX}) counted`,
  );
  return { rows, total: counted[0]?.total ?? 0 };
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
