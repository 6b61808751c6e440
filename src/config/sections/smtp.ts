import type { OptionSpec } from "../option-spec.ts";

export const SMTP = {
  smtp_host: { kind: "string", default: "localhost", about: "SMTP server for alerts." },
  smtp_port: { kind: "int", default: 25, min: 1, max: 65_535, about: "Its port." },
  smtp_user: { kind: "string", default: null, about: "Login there. Unset: none." },
  smtp_password: { kind: "string", default: null, secret: true, about: "Its password." },
  smtp_starttls: {
    kind: "bool",
    default: true,
    about: "Go over to TLS by STARTTLS; a server that does not offer it is refused.",
  },
  smtp_ssl: { kind: "bool", default: false, about: "TLS from the first byte, without STARTTLS." },
  smtp_mail_from: { kind: "string", default: "baram@localhost", about: "Sender of alerts if [email] from_email is not set." },
  smtp_timeout: { kind: "float", default: 30, unit: "s", min: 0.1, max: 600, about: "How long the server may be silent." },
  smtp_retry_limit: {
    kind: "int",
    default: 20,
    min: 1,
    about:
      "Attempts before an alert is given up; their distance grows from 5 s to 15 minutes, so that 20 take more than 3 hours.",
  },
} as const satisfies Record<string, OptionSpec>;
