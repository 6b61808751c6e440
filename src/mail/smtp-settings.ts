import { type Connection, isEmailAddress } from "../contracts/index.ts";
import { BaramError } from "../platform/index.ts";

/** As of `[smtp] smtp_timeout`. */
const TIMEOUT_MAX_SEC = 600;

/** How to reach an SMTP server. */
export type SmtpSettings = {
  host: string;
  port: number;
  /** Both or neither. */
  user: string | null;
  password: string | null;
  /** TLS from the first byte. */
  ssl: boolean;
  /** TLS by STARTTLS; a server that does not offer it is refused. */
  starttls: boolean;
  /** false = any certificate will do. */
  verifyCertificate: boolean;
  /** The sender; a bare address, or `Name <address>`. */
  from: string;
  timeoutSec: number;
};

/**
 * An `smtp` connection laid over `defaults`. Its extra has Airflow's names: `from_email`, `disable_ssl`, `disable_tls`,
 * `timeout`, `ssl_context` ("none" = any certificate). Without `disable_ssl`, port 465 means TLS from the first byte, any other
 * port STARTTLS; Airflow would take every port for the former.
 * @throws BaramError smtp_connection_invalid, which names the connection and never its password.
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

/** A bare address, or a name and an address in angle brackets. */
export function isSender(text: string): boolean {
  const named = /^[^<>\p{Cc}]*<([^<>]*)>$/u.exec(text);
  return isEmailAddress(named?.[1] ?? text);
}

/** A URI's extras are texts. */
function flag(value: unknown): boolean | null {
  if (value === undefined || value === null) return null;
  return value === true || /^(true|1|yes|on)$/i.test(String(value));
}
