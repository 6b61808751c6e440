import { BaramError, timeoutSignal } from "../platform/index.ts";
import type { SmtpSettings } from "./smtp-settings.ts";

export type Mail = {
  to: readonly string[];
  cc?: readonly string[];
  bcc?: readonly string[];
  subject: string;
  html: string;
  /** File names and content: this module never reads a path or a URL. */
  attachments?: readonly { filename: string; content: Buffer; cid?: string }[];
  /** "…@…", without brackets. The same for all attempts, so that a mail server can recognize a repetition. */
  messageId?: string;
  headers?: Readonly<Record<string, string>>;
};

/** Recipients that the server refused while it accepted the email for others. */
export type Sent = { rejected: string[] };

/** The server's answer means that another attempt would fail too. */
export class MailRefusedError extends BaramError {
  constructor(message: string, facts: Record<string, unknown>) {
    super("mail_refused", message, facts);
    this.name = "MailRefusedError";
  }
}

/**
 * Sends an email to an SMTP server. Ends within twice the timeout of the settings, whatever the server does.
 * @throws MailRefusedError, BaramError mail_not_sent: name the host, the port and the server's answer, but never the password.
 */
export async function sendMail(settings: SmtpSettings, mail: Mail, signal?: AbortSignal): Promise<Sent> {
  // Loaded on first use: few processes send email, and the import is slow.
  const { createTransport } = await import("nodemailer");
  const timeoutMs = settings.timeoutSec * 1_000;
  const transport = createTransport({
    host: settings.host,
    port: settings.port,
    secure: settings.ssl,
    requireTLS: settings.starttls,
    ignoreTLS: !settings.starttls,
    tls: { rejectUnauthorized: settings.verifyCertificate },
    auth: settings.user === null ? undefined : { user: settings.user, pass: settings.password ?? "" },
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
    // Names in an email are never resolved: nodemailer must not read files or URLs.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const deadline = timeoutSignal(timeoutMs * 2);
  try {
    const { rejected } = await transport.sendMail({
      from: settings.from,
      to: addresses(mail.to),
      cc: addresses(mail.cc ?? []),
      bcc: addresses(mail.bcc ?? []),
      subject: oneLine(mail.subject),
      html: mail.html,
      attachments: mail.attachments?.map(({ filename, ...rest }) => ({ filename: oneLine(filename), ...rest })),
      messageId: mail.messageId === undefined ? undefined : `<${mail.messageId}>`,
      headers: mail.headers === undefined ? undefined : { ...mail.headers },
      signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
    });
    return { rejected };
  } catch (error) {
    throw explain(error, settings);
  } finally {
    transport.close();
  }
}

/** As objects: a text would be parsed again, and an unusual address could become two. */
function addresses(list: readonly string[]): { name: string; address: string }[] {
  return list.map((address) => ({ name: "", address }));
}

/** A header is a single line, whatever the data contains. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, " ").trim();
}

function explain(thrown: unknown, { host, port, password, starttls, ssl }: SmtpSettings): BaramError {
  const { code, responseCode, message } = thrown as { code?: string; responseCode?: number; message?: string };
  const said = withoutSecret(message ?? String(thrown), password).slice(0, 500);
  const facts = { host, port, code: code ?? null, responseCode: responseCode ?? null };
  const place = `the SMTP server ${host}:${port}`;
  // 5xx for the message or its recipients is permanent (RFC 5321, 4.2.1); a failed login may be fixed before the next attempt.
  if ((code === "EENVELOPE" || code === "EMESSAGE") && responseCode !== undefined && responseCode >= 500)
    return new MailRefusedError(`${place} refuses the mail: ${said}`, facts);
  return new BaramError(
    "mail_not_sent",
    `the mail could not be sent to ${place}: ${said}${remedyFor(code, ssl, starttls)}`,
    facts,
  );
}

function remedyFor(code: string | undefined, ssl: boolean, starttls: boolean): string {
  if (code === "EAUTH") return ". Check login and password of the connection or [smtp] smtp_user and smtp_password";
  if (code === "ETLS" || (code === "ESOCKET" && (ssl || starttls)))
    return ". Check its certificate, or the TLS settings (disable_ssl, disable_tls and ssl_context of the connection; [smtp] smtp_ssl and smtp_starttls)";
  return "";
}

function withoutSecret(text: string, password: string | null): string {
  if (password === null || password === "") return text;
  return text.replaceAll(password, "***").replaceAll(Buffer.from(password).toString("base64").replace(/=+$/, ""), "***");
}
