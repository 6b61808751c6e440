import type { OptionSpec } from "../option-spec.ts";

export const EMAIL = {
  email_conn_id: {
    kind: "string",
    default: "smtp_default",
    about: "Connection of type smtp for alerts. If it does not exist, the [smtp] section applies.",
  },
  from_email: { kind: "string", default: null, about: "Sender of alerts. Not set: [smtp] smtp_mail_from." },
  default_email_on_failure: {
    kind: "bool",
    default: true,
    about: "Default of `emailOnFailure`: whether a task with `email` sends an e-mail when it has failed.",
  },
  default_email_on_retry: {
    kind: "bool",
    default: true,
    about: "Default of `emailOnRetry`: whether a task with `email` sends an e-mail when a try has failed and will be retried.",
  },
  subject_template: {
    kind: "string",
    default: null,
    about: "File with the subject of alerts; it can contain names such as {{ ti.dag_id }}. A relative path starts at BARAM_HOME.",
  },
  html_content_template: {
    kind: "string",
    default: null,
    about:
      "File with the HTML of alerts; it can contain names such as {{ exception_html }}, whose values are escaped. A relative path starts at BARAM_HOME.",
  },
  ssl_context: {
    kind: "string",
    default: "default",
    values: ["default", "none"],
    about: "default = the SMTP server needs a valid certificate; none = any certificate is accepted.",
  },
} as const satisfies Record<string, OptionSpec>;
