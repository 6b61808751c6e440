import { type Connection, isEmailAddress } from "../contracts/index.ts";
import { BaramError } from "../platform/index.ts";

/** The maximum of `[smtp] smtp_timeout`. */
const TIMEOUT_MAX_SEC = 600;

/** Settings for access to an SMTP server. */
export type SmtpSettings = {
  host: string;
  port: number;
  /** User and password: both or neither. */
  user: string | null;
  password: string | null;
  /** TLS from the first byte (implicit TLS). */
  ssl: boolean;
  /** TLS by STARTTLS; a server that does not offer it is refused. */
  starttls: boolean;
  /** false = every certificate is accepted. */
  verifyCertificate: boolean;
  /** The sender; a bare address, or `Name <address>`. */
  from: string;
  timeoutSec: number;
};

/**
 * The settings of an `smtp` connection over `defaults`. Its extra has Airflow's names: `from_email`, `disable_ssl`,
 * `disable_tls`, `timeout`, `ssl_context` ("none" = every certificate is accepted). Without `disable_ssl`, port 465 means
 * implicit TLS and any other port STARTTLS; Airflow would use implicit TLS for every port.
 * @throws BaramError smtp_connection_invalid, which names the connection but never its password.
 */
export function settingsOfConnection(connection: Connection, defaults: SmtpSettings): SmtpSettings {
  const { connId, connType, host, login, password, extra } = connection;
  const refuse = (why: string) =>
    new BaramError("smtp_connection_invalid", `Connection "${connId}" cannot be used for e-mail: ${why}.`, { connId });
  if (connType !== "smtp") throw refuse(`its type is "${connType}", it must be "smtp"`);
  if (host === null) throw refuse("it has no host");
  if ((login === null) !== (password === null)) throw refuse("it has a login without a password, or a password without a login");
  const timeoutSec = extra.timeout === undefined ? defaults.timeoutSec : Number(extra.timeout);
  if (!(timeoutSec > 0 && timeoutSec <= TIMEOUT_MAX_SEC))
    throw refuse(`its extra.timeout must be a number of seconds above zero, ${TIMEOUT_MAX_SEC} at most`);
  const from = extra.from_email ?? defaults.from;
  if (typeof from !== "string" || !isSender(from)) throw refuse("its extra.from_email is no address");
  const sslDisabled = flag(extra.disable_ssl);
  const port = connection.port ?? (sslDisabled === false ? 465 : defaults.port);
  const ssl = sslDisabled === null ? port === 465 : !sslDisabled;
  return {
    host,
    port,
    user: login,
    password,
    ssl,
    starttls: !ssl && flag(extra.disable_tls) !== true,
    verifyCertificate: extra.ssl_context === undefined ? defaults.verifyCertificate : extra.ssl_context !== "none",
    from,
    timeoutSec,
  };
}

/** An address, or a name and an address in angle brackets. */
export function isSender(text: string): boolean {
  const named = /^[^<>\p{Cc}]*<([^<>]*)>$/u.exec(text);
  return isEmailAddress(named?.[1] ?? text);
}

/** The extras of a URI are texts. */
function flag(value: unknown): boolean | null {
  if (value === undefined || value === null) return null;
  return value === true || /^(true|1|yes|on)$/i.test(String(value));
}
