import { MAIL_TEMPLATE_FIELDS, type MailOptions, MailRefusedError, SMTP_CONNECTION, sendByConnection } from "../../mail/index.ts";
import { BaseOperator, FailError, type TaskContext } from "../../sdk/index.ts";

type Rendered = (typeof MAIL_TEMPLATE_FIELDS)[number];

/** Sends an email through a connection of type smtp. If the server rejects it permanently, the task fails without retry. */
export class EmailOperator extends BaseOperator<MailOptions, void, Rendered> {
  static override readonly templateFields: readonly string[] = MAIL_TEMPLATE_FIELDS;
  static override readonly optionNames: readonly string[] = Object.keys({ mimeSubtype: true, connId: true } satisfies Record<
    Exclude<keyof MailOptions, Rendered>,
    true
  >);

  async execute(ctx: TaskContext): Promise<void> {
    const connection = await ctx.connection(this.options.connId ?? SMTP_CONNECTION);
    const { rejected } = await sendByConnection(connection, this.options, ctx.signal).catch((error: unknown) => {
      throw error instanceof MailRefusedError ? new FailError(error.message, error) : error;
    });
    if (rejected.length > 0) ctx.logger.warn(`the server accepted the mail, but not for ${rejected.join(", ")}`);
    else ctx.logger.info("the server accepted the mail");
  }
}
