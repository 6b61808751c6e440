/** The mailer with a real SMTP server and a real database: each alert is sent once, and none is lost. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { headerOf, type SmtpServer, startSmtpServer } from "../../tests/support/smtp-server.ts";
import type { Connection, EmailRequest } from "../contracts/index.ts";
import { type Logger, silentLogger } from "../platform/index.ts";
import { claimEmailRequests, createCipher, insertEmailRequests } from "../store/index.ts";
import { type Mailer, type MailerOptions, startMailer } from "./index.ts";

const CIPHER = createCipher(Buffer.alloc(32, 1));

let database: TestDatabase;
let smtp: SmtpServer | undefined;
let mailers: Mailer[] = [];
beforeEach(async () => {
  database = await createTestDatabase();
});
afterEach(async () => {
  await Promise.all(mailers.map((mailer) => mailer.stop()));
  mailers = [];
  await smtp?.stop();
  smtp = undefined;
  await database.drop();
});

const REQUEST: EmailRequest = {
  kind: "failure",
  isByDefault: true,
  to: ["ada@example.com", "bob@example.com"],
  dagId: "sales",
  runId: "manual__2026-01-01T00:00:00+00:00",
  taskId: "load",
  mapIndex: -1,
  tryNumber: 3,
  maxTries: 2,
  hostname: "host-7",
  startDate: "2026-01-01T00:00:00.000Z",
  endDate: "2026-01-01T00:00:09.000Z",
  error: { name: "Error", message: "no rows", stack: 'Error: no rows in <orders> & "items"\n    at load' },
};

type Given = { smtp?: Partial<MailerOptions["smtp"]>; secrets?: Connection; logger?: Logger } & Partial<
  Omit<MailerOptions, "smtp">
>;

function start({ smtp: server = {}, secrets, logger = silentLogger, ...given }: Given = {}): void {
  const environment = { connection: (id: string) => (id === "smtp_default" ? (secrets ?? null) : null), variable: () => null };
  const settings = { host: "127.0.0.1", port: smtp?.port ?? 1, user: null, password: null, ssl: false, starttls: false };
  const options: MailerOptions = {
    texts: { subjectTemplate: null, htmlTemplate: null, baseUrl: null },
    connId: "smtp_default",
    smtp: { ...settings, verifyCertificate: true, from: "baram@example.com", timeoutSec: 5, ...server },
    sendByDefault: { failure: true, retry: true },
    attemptsMax: 20,
    firstPauseSec: 0.05,
    pollSec: 0.02,
    ...given,
  };
  mailers.push(startMailer({ store: database.open(), cipher: CIPHER, secrets: environment, logger }, options));
}

const owe = (...requests: Partial<EmailRequest>[]) =>
  insertEmailRequests(
    database.store,
    requests.map((request) => ({ ...REQUEST, ...request })),
  );
const owed = async () => (await database.store.query<{ n: number }>("select count(*)::int as n from email_request")).rows[0]?.n;
const audit = async () =>
  (
    await database.store.query<{ event: string; reason: string }>(
      "select event, extra->>'reason' as reason from log where dag_id = 'sales' and task_id = 'load' and try_number = 3 order by id",
    )
  ).rows;

test("a mail says what failed and where, with all data escaped, and leaves nothing owed", async () => {
  smtp = await startSmtpServer();
  await owe({}, { kind: "retry", tryNumber: 1, error: { name: "E", message: "<script>", stack: null } });
  start({ texts: { subjectTemplate: null, htmlTemplate: null, baseUrl: "https://baram.example.com" } });
  await smtp.received(2);
  await expect.poll(owed).toBe(0);
  const [failure, retry] = [...smtp.mails].sort((a, b) =>
    (headerOf(a, "Subject") ?? "").localeCompare(headerOf(b, "Subject") ?? ""),
  );
  expect(failure?.recipients).toEqual(["ada@example.com", "bob@example.com"]);
  expect(headerOf(failure, "Subject")).toBe(`Baram alert: <TaskInstance: sales.load ${REQUEST.runId} [failed]>`);
  expect(headerOf(failure, "Auto-Submitted")).toBe("auto-generated");
  expect(failure?.html).toContain("The task failed.");
  expect(failure?.html).toContain("<td>3 of 3</td>");
  expect(failure?.html).toContain("Error: no rows in &lt;orders&gt; &amp; &quot;items&quot;");
  const page = "https://baram.example.com/dags/sales/runs/manual__2026-01-01T00%3A00%3A00%2B00%3A00/tasks/load";
  expect(failure?.html).toContain(`<a href="${page}?try_number=3">Log</a> · <a href="${page}">Mark success</a>`);
  expect(headerOf(retry, "Subject")).toContain("[up_for_retry]>");
  expect(retry?.html).toContain("the task will be tried again");
  expect(retry?.html).toContain("E: &lt;script&gt;");
  expect(await audit()).toEqual([]);
});

test("templates of the deployment are filled: the subject as text, the HTML escaped", async () => {
  smtp = await startSmtpServer();
  await owe({ error: { name: "E", message: "a\r\nBcc: evil@example.com <b>", stack: null } });
  const texts = {
    subjectTemplate: "{{ti.dag_id}}: {{ exception }}\n",
    htmlTemplate: "<i>{{ exception }}</i>{{ ti.log_url }}",
    baseUrl: null,
  };
  start({ texts });
  const [mail] = await smtp.received(1);
  expect(headerOf(mail, "Subject")).toBe("sales: E: a Bcc: evil@example.com <b>");
  expect(mail?.recipients).toHaveLength(2);
  expect(mail?.html).toMatch(/<i>E: a\r?\nBcc: evil@example.com &lt;b&gt;<\/i>/);
});

test("two senders share the work: each mail goes out once", async () => {
  smtp = await startSmtpServer();
  await owe(...Array.from({ length: 50 }, (_, n) => ({ taskId: `t${n}` })));
  start();
  start();
  await smtp.received(50);
  await expect.poll(owed).toBe(0);
  const tasks = smtp.mails.map((mail) => headerOf(mail, "X-Baram-Task-Id"));
  expect(tasks).toHaveLength(50);
  expect(new Set(tasks).size).toBe(50);
});

test("a mail whose sender died is sent by another when the lease ends, under the same Message-ID", async () => {
  smtp = await startSmtpServer();
  await owe({});
  const [claimed] = await claimEmailRequests(database.store, 10, 0.3);
  expect(await claimEmailRequests(database.store, 10, 0.3)).toEqual([]);
  start();
  const [mail] = await smtp.received(1);
  expect(headerOf(mail, "Message-ID")).toBe(`<${claimed?.id}@baram>`);
  await expect.poll(owed).toBe(0);
});

test("a server that is away is asked again until it is back; the audit log tells once", async () => {
  const gone = await startSmtpServer();
  await gone.stop();
  await owe({});
  start({ smtp: { port: gone.port } });
  const attempts = async () => (await database.store.query<{ n: number }>("select attempts as n from email_request")).rows[0]?.n;
  await expect.poll(attempts).toBeGreaterThan(2);
  smtp = await startSmtpServer({ port: gone.port });
  await smtp.received(1);
  await expect.poll(owed).toBe(0);
  const told = await audit();
  expect(told.map(({ event }) => event)).toEqual(["email delayed"]);
  expect(told[0]?.reason).toContain("ECONNREFUSED");
});

test("a mail is given up when it is refused for good, or after the last attempt, and the audit log says why", async () => {
  smtp = await startSmtpServer({ refuse: ["gone@example.com"], deferData: 1_000 });
  await owe({ to: ["gone@example.com"] });
  start({ attemptsMax: 2 });
  await expect.poll(owed).toBe(0);
  await owe({});
  await expect.poll(owed).toBe(0);
  const told = await audit();
  expect(told.map(({ event }) => event)).toEqual(["email not sent", "email delayed", "email not sent"]);
  expect(told[0]?.reason).toMatch(/after 1 attempts: .*550/);
  expect(told[2]?.reason).toMatch(/after 2 attempts: .*451/);
});

test("the connection wins over the options, and a wrong password is in no log", async () => {
  smtp = await startSmtpServer({ login: { user: "ada", password: "s3cret-word" }, tls: true });
  const lines: unknown[] = [];
  const note = (...args: unknown[]) => void lines.push(args);
  const logger = { debug: note, info: note, warn: note, error: note } as unknown as Logger;
  const connection: Connection = {
    ...{ connId: "smtp_default", connType: "smtp", description: null, schema: null, host: "127.0.0.1", port: smtp.port },
    ...{ login: "ada", password: "wr0ng-word", extra: { ssl_context: "none" } },
  };
  await owe({});
  start({ smtp: { port: 1 }, secrets: connection, attemptsMax: 1, logger });
  await expect.poll(owed).toBe(0);
  expect((await audit())[0]?.reason).toContain("535");
  expect(JSON.stringify([lines, await audit()])).not.toMatch(/wr0ng|d3Iwbmctd29y/);
  await Promise.all(mailers.splice(0).map((mailer) => mailer.stop()));
  await owe({});
  start({ smtp: { port: 1 }, secrets: { ...connection, password: "s3cret-word" } });
  expect((await smtp.received(1))[0]).toMatchObject({ isTls: true, isAuthenticated: true });
});

test("the deployment's defaults hold for tasks that did not say, and for no others", async () => {
  smtp = await startSmtpServer();
  await owe({ taskId: "default" }, { taskId: "asked", isByDefault: false }, { taskId: "retry", kind: "retry" });
  start({ sendByDefault: { failure: false, retry: true } });
  await smtp.received(2);
  await expect.poll(owed).toBe(0);
  expect(smtp.mails.map((mail) => headerOf(mail, "X-Baram-Task-Id")).sort()).toEqual(["asked", "retry"]);
});

test("a row that another version wrote and nobody can read does not hold up the others", async () => {
  smtp = await startSmtpServer();
  await database.store.query(`insert into email_request (data) values ('{"kind":"poem"}')`);
  await owe({});
  start();
  await smtp.received(1);
  await expect.poll(owed).toBe(0);
});
