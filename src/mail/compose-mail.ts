import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { ADDRESS_RULE, type Connection, isEmailAddress, splitAddresses } from "../contracts/index.ts";
import { BaramError, toError } from "../platform/index.ts";
import { type Mail, type Sent, sendMail } from "./send-mail.ts";
import { isSender, type SmtpSettings, settingsOfConnection } from "./smtp-settings.ts";

/** The fields of an email that may contain templates. */
export const MAIL_TEMPLATE_FIELDS = ["to", "subject", "htmlContent", "cc", "bcc", "files", "fromEmail"] as const;

/** An email as an author defines it. Addresses are a list, or a text separated by commas or semicolons. */
export type MailOptions = {
  to: string | readonly string[];
  subject: string;
  /** HTML. Rendered values are inserted unchanged: write `{{ value | escape }}` for values that may contain `<` or `&`. */
  htmlContent: string;
  cc?: string | readonly string[];
  bcc?: string | readonly string[];
  /** Paths of files to attach, on the machine that sends the email. */
  files?: readonly string[];
  /** "mixed" (default) attaches the files; "related" allows the HTML to show them as `cid:<file name>`. */
  mimeSubtype?: "mixed" | "related";
  /** Connection of type smtp. Default "smtp_default". */
  connId?: string;
  /** Default: the connection's extra `from_email`. */
  fromEmail?: string;
};

export const SMTP_CONNECTION = "smtp_default";

const DEFAULTS: SmtpSettings = {
  host: "localhost",
  port: 587,
  user: null,
  password: null,
  ssl: false,
  starttls: true,
  verifyCertificate: true,
  from: "baram@localhost",
  timeoutSec: 30,
};

/** Sends an author's email through a connection. Throws as `sendMail` and `settingsOfConnection` do, and mail_invalid. */
export async function sendByConnection(connection: Connection, options: MailOptions, signal?: AbortSignal): Promise<Sent> {
  const settings = settingsOfConnection(connection, DEFAULTS);
  const from = options.fromEmail ?? settings.from;
  if (!isSender(from)) throw invalid(`fromEmail is ${JSON.stringify(from)}, which is no address`);
  return sendMail({ ...settings, from }, await composeMail(options), signal);
}

async function composeMail({ to, cc, bcc, subject, htmlContent, files = [], mimeSubtype = "mixed" }: MailOptions): Promise<Mail> {
  const mail: Mail = { to: check("to", to), cc: check("cc", cc), bcc: check("bcc", bcc), subject, html: htmlContent };
  if (mail.to.length === 0) throw invalid("to contains no address");
  const attachments = files.map(async (path) => {
    const content = await readFile(path).catch((error: unknown) => {
      throw invalid(`the file ${JSON.stringify(path)} cannot be attached: ${toError(error).message}`);
    });
    const filename = basename(path);
    return { filename, content, ...(mimeSubtype === "related" ? { cid: filename } : {}) };
  });
  return { ...mail, attachments: await Promise.all(attachments) };
}

function check(name: string, given: string | readonly string[] | undefined): string[] {
  const list = splitAddresses(given ?? []);
  const wrong = list.find((address) => !isEmailAddress(address));
  if (wrong !== undefined) throw invalid(`${name} contains ${JSON.stringify(wrong)}; each must be ${ADDRESS_RULE}`);
  return list;
}

function invalid(why: string): BaramError {
  return new BaramError("mail_invalid", `The mail cannot be sent: ${why}.`);
}
