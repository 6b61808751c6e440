import { escapeHtml, MAIL_TEMPLATE_FIELDS, type MailOptions, SMTP_CONNECTION, sendByConnection } from "../../mail/index.ts";
import { BaseNotifier, type NotifierContext } from "../../sdk/index.ts";

/** As in EmailOperator; the defaults of subject and HTML describe what happened. */
export type SmtpNotifierOptions = Omit<MailOptions, "subject" | "htmlContent"> &
  Partial<Pick<MailOptions, "subject" | "htmlContent">>;

/**
 * Sends an email from a callback, on the task's own worker. If the worker dies, the email is lost; to avoid that for failures,
 * use the task option `email`.
 */
export class SmtpNotifier extends BaseNotifier<SmtpNotifierOptions> {
  static override readonly templateFields: readonly string[] = MAIL_TEMPLATE_FIELDS;
  static override readonly optionNames: readonly string[] = Object.keys({ mimeSubtype: true, connId: true } satisfies Record<
    Exclude<keyof MailOptions, (typeof MAIL_TEMPLATE_FIELDS)[number]>,
    true
  >);

  async notify(ctx: NotifierContext): Promise<void> {
    const connection = await ctx.connection(this.options.connId ?? SMTP_CONNECTION);
    const { subject = defaultSubject(ctx), htmlContent = defaultHtml(ctx) } = this.options;
    const { rejected } = await sendByConnection(connection, { ...this.options, subject, htmlContent }, ctx.signal);
    if (rejected.length > 0) ctx.logger.warn(`the server accepted the mail, but not for ${rejected.join(", ")}`);
  }
}

function defaultSubject(ctx: NotifierContext): string {
  return ctx.ti === undefined
    ? `DAG ${ctx.dag.dagId}, run ${ctx.run.runId}`
    : `DAG ${ctx.dag.dagId}, task ${ctx.ti.taskId}, run ${ctx.run.runId}, try ${ctx.ti.tryNumber}`;
}

function defaultHtml(ctx: NotifierContext): string {
  const error = ctx.error === undefined ? "" : `<pre>${escapeHtml(ctx.error.stack ?? String(ctx.error))}</pre>`;
  return `<p>${escapeHtml(defaultSubject(ctx))}</p><p>${escapeHtml(ctx.reason)}</p>${error}`;
}
