import type { EmailRequest, JsonValue } from "../../../contracts/index.ts";
import type { Db } from "../../store.ts";

/** $1 requests as JSON. */
const insert = { name: "insert-email-requests", text: "insert into email_request (data) select unnest($1::json[])" };

export async function insertEmailRequests(db: Db, requests: readonly EmailRequest[]): Promise<void> {
  await db.query(insert, [requests.map((request) => JSON.stringify(request))]);
}

/** `data` is an EmailRequest, unless another version of Baram wrote it. */
export type ClaimedEmail = { id: string; attempts: number; data: JsonValue };

/** $1 how many, $2 seconds until a claim whose sender died is open again. */
const claim = {
  name: "claim-email-requests",
  text: `
update email_request e set attempts = e.attempts + 1, next_attempt_at = now() + make_interval(secs => $2)
  from (select id from email_request where next_attempt_at <= now() order by next_attempt_at limit $1 for update skip locked) due
 where e.id = due.id
returning e.id, e.attempts, e.data`,
};

export async function claimEmailRequests(db: Db, limit: number, leaseSec: number): Promise<ClaimedEmail[]> {
  return (await db.query<ClaimedEmail>(claim, [limit, leaseSec])).rows;
}

/** $1 id, $2 the attempt that this answers, $3 seconds until the next. A claim that ran out and was taken anew is not touched. */
const postpone = {
  name: "postpone-email-request",
  text: "update email_request set next_attempt_at = now() + make_interval(secs => $3) where id = $1 and attempts = $2",
};

export async function postponeEmailRequest(db: Db, { id, attempts }: ClaimedEmail, sec: number): Promise<void> {
  await db.query(postpone, [id, attempts, sec]);
}

const remove = { name: "delete-email-request", text: "delete from email_request where id = $1" };

/** Its mail was sent, or is given up. */
export async function deleteEmailRequest(db: Db, id: string): Promise<void> {
  await db.query(remove, [id]);
}
