import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { type Config, environmentSecrets, readEncryptionKey } from "../../config/index.ts";
import { isSender } from "../../mail/index.ts";
import { ALERT_NAMES, checkTemplate, type MailerOptions, startMailer } from "../../mailer/index.ts";
import { BaramError, type Logger } from "../../platform/index.ts";
import { createCipher, type Store } from "../../store/index.ts";
import { baseUrl } from "../base-url.ts";
import type { Part } from "./part.ts";

/** Sends owed mails about failed tries. Part of the API server, the role that may decrypt connections. */
export function startMailerPart(config: Config, store: Store, logger: Logger, options: MailerOptions): Part {
  return startMailer({ store, cipher: createCipher(readEncryptionKey(config)), secrets: environmentSecrets(), logger }, options);
}

/** @throws BaramError config_invalid for templates that cannot be read or used, and for options that contradict each other. */
export function readMailerOptions(config: Config): MailerOptions {
  const { email, smtp } = config;
  const from = email.from_email ?? smtp.smtp_mail_from;
  if (!isSender(from)) throw invalid(`[email] from_email or [smtp] smtp_mail_from is "${from}", which is no address.`);
  if ((smtp.smtp_user === null) !== (smtp.smtp_password === null))
    throw invalid("[smtp] smtp_user and smtp_password must be set together, or neither.");
  return {
    texts: {
      subjectTemplate: readTemplate(config.home, "subject_template", email.subject_template),
      htmlTemplate: readTemplate(config.home, "html_content_template", email.html_content_template),
      baseUrl: baseUrl(config),
    },
    connId: email.email_conn_id,
    smtp: {
      host: smtp.smtp_host,
      port: smtp.smtp_port,
      user: smtp.smtp_user,
      password: smtp.smtp_password,
      ssl: smtp.smtp_ssl,
      starttls: smtp.smtp_starttls && !smtp.smtp_ssl,
      verifyCertificate: email.ssl_context === "default",
      from,
      timeoutSec: smtp.smtp_timeout,
    },
    sendByDefault: { failure: email.default_email_on_failure, retry: email.default_email_on_retry },
    attemptsMax: smtp.smtp_retry_limit,
    firstPauseSec: 5,
    pollSec: 5,
  };
}

function readTemplate(home: string, name: string, path: string | null): string | null {
  if (path === null) return null;
  const option = `[email] ${name}`;
  try {
    const text = readFileSync(resolve(home, path), "utf8");
    checkTemplate(option, text, ALERT_NAMES);
    return text;
  } catch (error) {
    if (error instanceof BaramError) throw error;
    throw invalid(`${option}: ${resolve(home, path)} cannot be read. Give the path of a text file.`);
  }
}

function invalid(message: string): BaramError {
  return new BaramError("config_invalid", message);
}
