/** Emails and notifiers about failures, with real runners and a real SMTP server: every kind of failure is reported. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { readMailerOptions, startMailerPart } from "../../src/main/index.ts";
import { silentLogger } from "../../src/platform/index.ts";
import { type Engine, startEngine } from "../support/engine.ts";
import { headerOf, type ReceivedMail, type SmtpServer, startSmtpServer } from "../support/smtp-server.ts";

let smtp: SmtpServer;
let hanging: SmtpServer;
let engine: Engine;
let mailer: { stop(): Promise<void> };
beforeAll(async () => {
  smtp = await startSmtpServer();
  hanging = await startSmtpServer({ hang: true });
  engine = await startEngine({
    environment: {
      BARAM__CORE__KILLED_TASK_CLEANUP_TIME: "0.5",
      BARAM__SMTP__SMTP_HOST: "127.0.0.1",
      BARAM__SMTP__SMTP_PORT: String(smtp.port),
      BARAM__SMTP__SMTP_STARTTLS: "false",
      BARAM__EMAIL__FROM_EMAIL: "baram@example.com",
      BARAM__API__BASE_URL: "https://baram.example.com/",
      BARAM_CONN_SMTP_DEFAULT: `smtp://127.0.0.1:${smtp.port}?disable_tls=true&from_email=jobs@example.com`,
      BARAM_CONN_SMTP_DEAD: "smtp://127.0.0.1:1?disable_tls=true",
    },
  });
  mailer = startMail({});
  await engine.load({ "alerts.ts": DAGS });
}, 60_000);
afterAll(async () => {
  await mailer?.stop();
  await engine?.stop();
  await smtp?.stop();
  await hanging?.stop();
});
beforeEach(() => {
  smtp.mails.length = 0;
});

/** A mailer as in the API server, but with shorter intervals. */
function startMail(server: Partial<ReturnType<typeof readMailerOptions>["smtp"]>) {
  const options = readMailerOptions(engine.config);
  const quick = { ...options, smtp: { ...options.smtp, ...server }, firstPauseSec: 0.1, pollSec: 0.02 };
  return startMailerPart(engine.config, engine.database.open(), silentLogger, quick);
}

const DAGS = `
import { appendFileSync } from "node:fs";
import { dag, task } from "baram";
import { EmailOperator } from "baram/operators";
import { SmtpNotifier } from "baram/providers/smtp";

const note = (ctx) => appendFileSync(ctx.conf.file, ctx.reason + "\\n");
const email = "ada@example.com; bob@example.com";

export const retried = dag({ dagId: "retried", defaultArgs: { email, retries: 1, retryDelay: { seconds: 0 } } }, () => {
  task({ taskId: "t" }, async (ctx) => { throw new Error("no <rows> in try " + ctx.ti.tryNumber); })();
});

export const killed = dag({ dagId: "killed", defaultArgs: { email } }, () => {
  task({ taskId: "t", onFailure: note }, async () => { process.kill(process.pid, "SIGKILL"); await new Promise(() => {}); })();
});

export const stuck = dag({ dagId: "stuck", defaultArgs: { email } }, () => {
  task({ taskId: "t", onFailure: note, executionTimeout: { seconds: 1 } }, () => { for (;;); })();
});

export const deaf = dag({ dagId: "deaf", defaultArgs: { email } }, () => {
  const lost = new SmtpNotifier({ to: email, connId: "smtp_dead" });
  task({ taskId: "t", onFailure: [lost, note] }, async () => { throw new Error("no rows"); })();
});

export const told = dag({
  dagId: "told",
  params: { to: "carl@example.com" },
  onFailure: [
    () => { throw new Error("this one is broken"); },
    new SmtpNotifier({ to: "ops@example.com", subject: "{{ dag.dag_id }} {{ reason }}", htmlContent: "<p>{{ run_id | escape }}</p>" }),
    note,
  ],
}, () => {
  const send = new EmailOperator({ taskId: "send", to: ["{{ params.to }}"], subject: "Report {{ run_id }}", htmlContent: "<b>{{ ti.task_id }}</b>" });
  task({ taskId: "t" }, async () => { throw new Error("no rows"); })();
  send.before("t");
});
`;

async function run(dagId: string): Promise<{ runId: string; notes: () => string }> {
  const file = join(engine.home, `${dagId}.notes`);
  const runId = await engine.trigger(dagId, { conf: { file } });
  expect(await engine.finished(dagId, runId)).toBe("failed");
  return { runId, notes: () => (existsSync(file) ? readFileSync(file, "utf8") : "") };
}

const subjects = (mails: readonly ReceivedMail[]) => mails.map((mail) => headerOf(mail, "Subject"));

test("a task that fails twice sends one mail about the retry and one about the failure", async () => {
  const { runId } = await run("retried");
  const mails = await smtp.received(2);
  expect(subjects(mails)).toEqual([
    `Baram alert: <TaskInstance: retried.t ${runId} [up_for_retry]>`,
    `Baram alert: <TaskInstance: retried.t ${runId} [failed]>`,
  ]);
  for (const [at, mail] of mails.entries()) {
    expect(mail.recipients).toEqual(["ada@example.com", "bob@example.com"]);
    expect(mail.html).toContain(`<td>${at + 1} of 2</td>`);
    expect(mail.html).toContain(`Error: no &lt;rows&gt; in try ${at + 1}`);
    expect(mail.html).toContain(`/tasks/t?try_number=${at + 1}">Log</a>`);
  }
  await expect.poll(owed).toBe(0);
  expect(smtp.mails).toHaveLength(2);
});

test("a task whose process is killed sends its mail, and its onFailure runs elsewhere", async () => {
  const { runId, notes } = await run("killed");
  const [mail] = await smtp.received(1);
  expect(headerOf(mail, "Subject")).toContain(`killed.t ${runId} [failed]`);
  expect(mail?.html).toContain("RunnerDiedError");
  expect(mail?.html).toContain("SIGKILL");
  await expect.poll(notes, { timeout: 10_000 }).toMatch(/SIGKILL/);
});

test("a task that the supervisor ends after its time-out sends its mail, and its onFailure runs elsewhere", async () => {
  const { notes } = await run("stuck");
  const [mail] = await smtp.received(1);
  expect(mail?.html).toContain("TaskTimeoutError");
  await expect.poll(notes, { timeout: 10_000 }).toMatch(/executionTimeout of 1 s/);
});

test("SMTP servers that are gone or hang keep no task and no other callback waiting, and the logs say so", async () => {
  await mailer.stop();
  const slow = startMail({ port: hanging.port, timeoutSec: 1 });
  const { runId, notes } = await run("deaf");
  await expect.poll(notes).toBe("Error: no rows\n");
  const log = join(engine.config.logging.base_log_folder, `dag_id=deaf/run_id=${runId}/task_id=t/attempt=1.log`);
  await expect.poll(() => readFileSync(log, "utf8")).toMatch(/SmtpNotifier of onFailure failed.*127\.0\.0\.1:1: .*ECONNREFUSED/);
  await expect.poll(() => hanging.connected()).toBeGreaterThan(0);
  const told = async () => (await engine.store.query<{ event: string }>("select event from log where owner = 'mailer'")).rows;
  await expect.poll(told, { timeout: 10_000 }).toEqual([{ event: "email delayed" }]);
  await slow.stop();
  mailer = startMail({});
  await smtp.received(1);
  await expect.poll(owed).toBe(0);
});

test("a DAG's notifier tells of the failed run though a callback before it broke; a task sends mail by itself", async () => {
  const { runId, notes } = await run("told");
  await expect.poll(notes, { timeout: 10_000 }).not.toBe("");
  const mails = await smtp.received(2);
  expect(subjects(mails)).toEqual([`Report ${runId}`, "told failed"]);
  const [report, alert] = mails;
  expect(report).toMatchObject({ from: "jobs@example.com", recipients: ["carl@example.com"] });
  expect(report?.html).toContain("<b>send</b>");
  expect(alert).toMatchObject({ from: "jobs@example.com", recipients: ["ops@example.com"] });
  const folder = join(engine.config.logging.base_log_folder, `dag_id=told/run_id=${runId}/callbacks`);
  const lines = () => readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"));
  await expect.poll(() => lines().join("")).toContain("this one is broken");
});

async function owed(): Promise<number | undefined> {
  return (await engine.store.query<{ n: number }>("select count(*)::int as n from email_request")).rows[0]?.n;
}
