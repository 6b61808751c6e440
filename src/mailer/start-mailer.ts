/**
 * Sends the e-mails that the platform owes (ADR 0019). A row of `email_request` is
 * - due: anyone who sends may claim it; left by a claim, which counts an attempt;
 * - claimed: one process sends it, until the lease ends; left for deleted when the server took the mail or it is given up,
 *   else for due again, after a pause that grows. A claim whose process died becomes due when its lease ends.
 * Any number of processes send. A mail whose row could not be deleted after it was sent is sent again, under the same
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
  /** The connection that wins over `smtp` where there is one. */
  readonly connId: string;
  readonly smtp: SmtpSettings;
  readonly sendByDefault: Readonly<Record<EmailRequest["kind"], boolean>>;
  /** Attempts before a mail is given up. */
  readonly attemptsMax: number;
  /** The pause after the first failed attempt; it doubles with each, up to 15 minutes. */
  readonly firstPauseSec: number;
  readonly pollSec: number;
};

export type Mailer = { stop(): Promise<void> };

const LONGEST_PAUSE_SEC = 900;
/** Sent side by side: a server that hangs holds up so many mails, for twice its time-out. */
const BATCH = 20;
/** A mail that is half way out gets this long when we are stopped. */
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
          logger.error({ error: toError(error).message }, "owed e-mails could not be looked for");
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

/** Longer than any attempt can take: `sendMail` ends within twice the time-out, and a connection may set its own. */
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
    logger.error({ id: claimed.id, error: parsed.error.message }, "an owed e-mail cannot be read and is given up");
    return deleteEmailRequest(store, claimed.id);
  }
  const request = parsed.data;
  if (request.isByDefault && !options.sendByDefault[request.kind]) return deleteEmailRequest(store, claimed.id);
  try {
    if (settings instanceof Error) throw settings;
    const { rejected } = await sendMail(settings, mailOf(request, options.texts, claimed.id), signal);
    await deleteEmailRequest(store, claimed.id);
    if (rejected.length > 0)
      await tell(resources, request, "email rejected", `the server took the mail, but not for ${rejected.join(", ")}`);
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
    // Once: a server that is away for an hour would fill the audit log.
    if (claimed.attempts === 1) await tell(resources, request, "email delayed", error.message);
  } catch (thrown) {
    // The lease ends by itself, and the mail is tried again then.
    resources.logger.error(
      { id: claimed.id, error: toError(thrown).message },
      "the end of an e-mail's attempt could not be written",
    );
  }
}

/** In the server's log, and where the task's owner sees it: the audit log of its task instance. */
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
