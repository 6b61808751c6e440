import type { OptionSpec } from "../option-spec.ts";

export const EMAIL = {
  email_conn_id: {
    kind: "string",
    default: "smtp_default",
    about: "Connection of type smtp that alerts are sent through. Where there is none, the [smtp] section says how.",
  },
  from_email: { kind: "string", default: null, about: "Sender of alerts. Unset: [smtp] smtp_mail_from." },
  default_email_on_failure: {
    kind: "bool",
    default: true,
    about: "Whether a task that has `email` and does not set `emailOnFailure` sends mail when it has failed.",
  },
  default_email_on_retry: {
    kind: "bool",
    default: true,
    about: "Whether a task that has `email` and does not set `emailOnRetry` sends mail when a try failed and another follows.",
  },
  subject_template: {
    kind: "string",
    default: null,
    about: "File with the subject of alerts, with names like {{ ti.dag_id }}; a relative path starts at BARAM_HOME.",
  },
  html_content_template: {
    kind: "string",
    default: null,
    about:
      "File with the HTML of alerts, with names like {{ exception_html }}, which are escaped; a relative path starts at BARAM_HOME.",
  },
  ssl_context: {
    kind: "string",
    default: "default",
    values: ["default", "none"],
    about: "default = the SMTP server's certificate must be valid; none = any will do.",
  },
} as const satisfies Record<string, OptionSpec>;
