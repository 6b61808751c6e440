import type { Db } from "../../src/store/index.ts";

/** The schema as sorted text: tables with their columns, indexes and constraints, as PostgreSQL describes them. */
export async function dumpSchema(db: Db): Promise<string> {
  const lines = async (sql: string) => (await db.query<{ line: string }>(sql)).rows.map((row) => row.line);
  const columns = await lines(
    `select format('%s.%s %s%s%s%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), case when a.attnotnull then ' not null' else '' end,
              case when a.attidentity <> '' then ' identity' else '' end, coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')) as line
       from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
       left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
      where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace order by c.relname collate "C", a.attnum`,
  );
  const options = await lines(
    `select format('%s with (%s)', relname, array_to_string(reloptions, ', ')) as line from pg_class
      where relkind = 'r' and relnamespace = 'public'::regnamespace and reloptions is not null order by relname collate "C"`,
  );
  const indexes = await lines(
    `select replace(indexdef, 'public.', '') as line from pg_indexes where schemaname = 'public' order by tablename collate "C", indexname collate "C"`,
  );
  // From PostgreSQL 18 on, not-null constraints are separate rows; the columns already show them.
  const constraints = await lines(
    `select format('%s: %s %s', c.relname, k.conname, pg_get_constraintdef(k.oid)) as line from pg_constraint k join pg_class c on c.oid = k.conrelid
      where k.connamespace = 'public'::regnamespace and k.contype <> 'n' order by c.relname collate "C", k.conname collate "C"`,
  );
  const parts = Object.entries({ columns, options, indexes, constraints });
  return parts.map(([name, list]) => `-- ${name}\n${list.join("\n")}\n`).join("\n");
}
