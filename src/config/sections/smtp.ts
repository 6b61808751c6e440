import type { OptionSpec } from "../option-spec.ts";

export const SMTP = {
  smtp_host: { kind: "string", default: "localhost", about: "SMTP server for alerts." },
  smtp_port: { kind: "int", default: 25, min: 1, max: 65_535, about: "Port of the SMTP server." },
  smtp_user: { kind: "string", default: null, about: "User name. Not set: no login." },
  smtp_password: { kind: "string", default: null, secret: true, about: "Password." },
  smtp_starttls: {
    kind: "bool",
    default: true,
    about: "Whether to use STARTTLS; a server without STARTTLS is rejected.",
  },
  smtp_ssl: { kind: "bool", default: false, about: "Whether to use implicit TLS instead of STARTTLS." },
  smtp_mail_from: { kind: "string", default: "baram@localhost", about: "Sender of alerts if [email] from_email is not set." },
  smtp_timeout: { kind: "float", default: 30, unit: "s", min: 0.1, max: 600, about: "Timeout for answers of the server." },
  smtp_retry_limit: {
    kind: "int",
    default: 20,
    min: 1,
    about: "Number of attempts to send an alert. The delay grows from 5 s to 15 minutes; 20 attempts take more than 3 hours.",
  },
} as const satisfies Record<string, OptionSpec>;
