import type { Db } from "../../store.ts";

/** Part of the database's answers; the table checks it. */
export type AsideKind = "run" | "schedule" | "backfill" | "try" | "callback";
export type AsideKey = { readonly kind: AsideKind; readonly subject: string };
export type Culprit = AsideKey & { readonly message: string };
/** `isNew`: it was not set aside before. `tryInSec`: until it is tried again. */
export type SetAside = AsideKey & { dagId: string; message: string; isNew: boolean; tryInSec: number };

const FIRST_TRY_SEC = 5;

/**
 * $1 kinds, $2 subjects, $3 messages, $4 seconds between two trials at most, $5 seconds after which a try or callback with which no
 * check has failed again is removed. Each further failure doubles the time. Subjects that no longer exist are skipped. In key
 * order, so that two schedulers that set the same things aside cannot deadlock.
 */
const put = {
  name: "set-aside",
  text: `
insert into set_aside (kind, subject, dag_id, dag_run_id, message, try_at)
select c.kind, c.subject, f.dag_id, f.dag_run_id, c.message,
       now() + make_interval(secs => case when c.kind in ('try', 'callback') then $5 else least($4, ${FIRST_TRY_SEC}) end)
  from unnest($1::text[], $2::text[], $3::text[]) as c(kind, subject, message)
  cross join lateral (
    select r.dag_id, r.id as dag_run_id from dag_run r where r.id = case c.kind when 'run' then c.subject::bigint end
    union all
    select d.dag_id, null from dag d where d.dag_id = case c.kind when 'schedule' then c.subject end
    union all
    select b.dag_id, null from backfill b where b.id = case c.kind when 'backfill' then c.subject::bigint end
    union all
    select ti.dag_id, ti.dag_run_id from task_instance ti where ti.id = case c.kind when 'try' then c.subject::uuid end
    union all
    select r.dag_id, r.id from callback_request q join dag_run r on r.id = q.dag_run_id
     where q.id = case c.kind when 'callback' then c.subject::uuid end
  ) f
 order by c.kind, c.subject
on conflict (kind, subject) do update
   set message = excluded.message, attempts = set_aside.attempts + 1,
       try_at = now() + make_interval(secs => case when set_aside.kind in ('try', 'callback') then $5
                                                      else least($4, ${FIRST_TRY_SEC} * power(2, least(set_aside.attempts, 20))) end)
returning kind, subject, dag_id as "dagId", message, attempts = 1 as "isNew", extract(epoch from try_at - now())::float8 as "tryInSec"`,
};

export async function setAside(db: Db, culprits: readonly Culprit[], maxSec: number, quietSec: number): Promise<SetAside[]> {
  const { rows } = await db.query<SetAside>(put, [
    culprits.map(({ kind }) => kind),
    culprits.map(({ subject }) => subject),
    culprits.map(({ message }) => message),
    maxSec,
    quietSec,
  ]);
  return rows;
}

const due = {
  name: "due-set-aside",
  text: "select kind, subject from set_aside where try_at <= now() order by try_at limit $1",
};

/** What may be tried again by now. */
export async function dueSetAside(db: Db, limit: number): Promise<AsideKey[]> {
  return (await db.query<AsideKey>(due, [limit])).rows;
}

const take = {
  name: "take-set-aside",
  text: `
delete from set_aside where (kind, subject) in (
  select kind, subject from set_aside where kind = $1 and subject = $2 and try_at <= now() for update skip locked
)`,
};

/**
 * Removes it from what is set aside, in the transaction of its trial: if that rolls back, it stays set aside. false = it is gone,
 * or another scheduler is trying it.
 */
export async function takeSetAside(tx: Db, { kind, subject }: AsideKey): Promise<boolean> {
  return (await tx.query(take, [kind, subject])).rowCount === 1;
}

export type AsideFacts = { count: number; tryInSec: number | null };

const facts = {
  name: "set-aside-facts",
  text: `select count(*)::int as count, extract(epoch from min(try_at) - now())::float8 as "tryInSec" from set_aside`,
};

export async function asideFacts(db: Db): Promise<AsideFacts> {
  return (await db.query<AsideFacts>(facts)).rows[0] ?? { count: 0, tryInSec: null };
}

const unfinished = {
  name: "runs-a-pass-may-touch",
  text: `
select r.id from dag_run r
 where (r.state in ('queued', 'running') or r.id in (select q.dag_run_id from callback_request q where q.state = 'scheduled'))
   and not exists (select 1 from set_aside s where s.kind = 'run' and s.dag_run_id = r.id)
 order by r.id`,
};

/** The DAG runs among which is the one that makes the pass fail. */
export async function runsOfPass(db: Db): Promise<number[]> {
  return (await db.query<{ id: number }>(unfinished)).rows.map(({ id }) => id);
}
