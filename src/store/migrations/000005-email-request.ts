import type { Migration } from "./migration.ts";

/** E-mails owed for tries: a row lives until its mail was taken by the SMTP server or given up. */
export const emailRequest: Migration = {
  version: 5,
  name: "000008-email-request",
  breaking: false,
  sql: `
create table email_request (
  id uuid primary key default gen_random_uuid(),
  -- the whole message's facts, and no foreign key: the mail is owed even if its run is deleted meanwhile
  data json not null,
  attempts int not null default 0,
  -- while it is being sent, the moment from which the sender counts as dead
  next_attempt_at timestamptz not null default now(),
  created_at timestamptz not null default now()
);
create index email_request_due on email_request (next_attempt_at);
`,
};
