/**
 * Sends alerts (ADR 0019). A row of `email_request` is
 * - due: any mailer may claim it; a claim counts as an attempt;
 * - claimed: one process sends it, until the lease ends. It is deleted when the server has accepted the mail or the last attempt
 *   failed; otherwise it is due again, after an increasing pause. If the claiming process dies, it is due when the lease ends.
 * Any number of processes may send. If a row cannot be deleted after its mail was sent, the mail is sent again with the same
 * Message-ID; none is lost.
 */
import type { EnvironmentSecrets } from "../config/index.ts";
import { type EmailRequest, emailRequestSchema } from "../contracts/index.ts";
import { MailRefusedError, type SmtpSettings, sendMail, settingsOfConnection } from "../mail/index.ts";
import { isDatabaseAway, type Logger, sleep, toError } from "../platform/index.ts";
import {
  type Cipher,
  type ClaimedEmail,
  claimEmailRequests,
  deleteEmailRequest,
  findConnection,
  logEvent,
  postponeEmailRequest,
  type Store,
} from "../store/index.ts";
import { type AlertTexts, composeAlert } from "./compose-alert.ts";

export type MailerResources = {
  readonly store: Store;
  readonly cipher: Cipher;
  readonly secrets: EnvironmentSecrets;
  readonly logger: Logger;
};

export type MailerOptions = {
  readonly texts: AlertTexts;
  /** A connection that overrides `smtp` if it exists. */
  readonly connId: string;
  readonly smtp: SmtpSettings;
  readonly sendByDefault: Readonly<Record<EmailRequest["kind"], boolean>>;
  /** Number of attempts after which an alert is given up. */
  readonly attemptsMax: number;
  /** Pause after the first failed attempt; it doubles with each attempt, up to 15 minutes. */
  readonly firstPauseSec: number;
  readonly pollSec: number;
};

export type Mailer = { stop(): Promise<void> };

const LONGEST_PAUSE_SEC = 900;
/** Number of alerts sent in parallel: a server that hangs delays these, for twice its timeout. */
const BATCH = 20;
/** Time that a mail in progress has to finish when the mailer stops. */
const STOP_GRACE_MS = 5_000;

export function startMailer(resources: MailerResources, options: MailerOptions): Mailer {
  const { store, logger } = resources;
  const stopping = new AbortController();
  const sending = new AbortController();
  const loop = run();

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const sent = await sendDue().catch((error: unknown) => {
        if (!stopping.signal.aborted && !isDatabaseAway(error))
          logger.error({ error: toError(error).message }, "due e-mails could not be queried");
        return 0;
      });
      if (sent < BATCH) await sleep(options.pollSec * 1_000, stopping.signal);
    }
  }

  async function sendDue(): Promise<number> {
    const claimed = await claimEmailRequests(store, BATCH, leaseSec(options));
    if (claimed.length === 0) return 0;
    const settings = await findSettings(resources, options).catch(toError);
    await Promise.all(claimed.map((one) => sendOne(resources, options, one, settings, sending.signal)));
    return claimed.length;
  }

  return {
    async stop() {
      stopping.abort();
      await Promise.race([loop, sleep(STOP_GRACE_MS, sending.signal)]);
      sending.abort();
      await loop;
    },
  };
}

/** Longer than any attempt: `sendMail` ends within twice the timeout, and a connection may set its own timeout. */
function leaseSec({ smtp }: MailerOptions): number {
  return smtp.timeoutSec * 2 + 60;
}

async function findSettings({ store, cipher, secrets }: MailerResources, { connId, smtp }: MailerOptions): Promise<SmtpSettings> {
  const connection = secrets.connection(connId) ?? (await findConnection(store, cipher, connId));
  if (connection === null) return smtp;
  const settings = settingsOfConnection(connection, smtp);
  return { ...settings, timeoutSec: Math.min(settings.timeoutSec, smtp.timeoutSec) };
}

async function sendOne(
  resources: MailerResources,
  options: MailerOptions,
  claimed: ClaimedEmail,
  settings: SmtpSettings | Error,
  signal: AbortSignal,
): Promise<void> {
  const { store, logger } = resources;
  const parsed = emailRequestSchema.safeParse(claimed.data);
  if (!parsed.success) {
    logger.error({ id: claimed.id, error: parsed.error.message }, "an e-mail request cannot be parsed and is given up");
    return deleteEmailRequest(store, claimed.id);
  }
  const request = parsed.data;
  if (request.isByDefault && !options.sendByDefault[request.kind]) return deleteEmailRequest(store, claimed.id);
  try {
    if (settings instanceof Error) throw settings;
    const { rejected } = await sendMail(settings, mailOf(request, options.texts, claimed.id), signal);
    await deleteEmailRequest(store, claimed.id);
    if (rejected.length > 0)
      await tell(resources, request, "email rejected", `the server accepted the mail, but not for ${rejected.join(", ")}`);
    else logger.info({ id: claimed.id, dagId: request.dagId, taskId: request.taskId }, "an e-mail was sent");
  } catch (thrown) {
    await putBack(resources, options, claimed, request, toError(thrown));
  }
}

async function putBack(
  resources: MailerResources,
  options: MailerOptions,
  claimed: ClaimedEmail,
  request: EmailRequest,
  error: Error,
): Promise<void> {
  const { store } = resources;
  try {
    if (error instanceof MailRefusedError || claimed.attempts >= options.attemptsMax) {
      await tell(resources, request, "email not sent", `given up after ${claimed.attempts} attempts: ${error.message}`);
      return await deleteEmailRequest(store, claimed.id);
    }
    const pauseSec = Math.min(LONGEST_PAUSE_SEC, options.firstPauseSec * 2 ** (claimed.attempts - 1));
    await postponeEmailRequest(store, claimed, pauseSec);
    // Logged once: with an unreachable server, one entry per attempt would fill the audit log.
    if (claimed.attempts === 1) await tell(resources, request, "email delayed", error.message);
  } catch (thrown) {
    // The mail is tried again after the lease ends.
    resources.logger.error(
      { id: claimed.id, error: toError(thrown).message },
      "the result of an e-mail's attempt could not be stored",
    );
  }
}

/** Logs the event in the server's log, and for the task's owner in the audit log of the task instance. */
async function tell({ store, logger }: MailerResources, request: EmailRequest, event: string, reason: string): Promise<void> {
  const { dagId, runId, taskId, mapIndex, tryNumber, to } = request;
  const place = { dagId, runId, taskId, mapIndex, tryNumber };
  logger.error({ ...place, to, reason }, event);
  await logEvent(store, { event, owner: "mailer", ...place, extra: { reason, to } });
}

function mailOf(request: EmailRequest, texts: AlertTexts, id: string) {
  return {
    to: request.to,
    ...composeAlert(request, texts),
    messageId: `${id}@baram`,
    headers: { "Auto-Submitted": "auto-generated", "X-Baram-Dag-Id": request.dagId, "X-Baram-Task-Id": request.taskId },
  };
}
