import { BaseOperator, type TaskContext } from "../../sdk/index.ts";
import {
  parseWebhook,
  postToSlack,
  SLACK_CONNECTION,
  SLACK_OPTION_NAMES,
  SLACK_TEMPLATE_FIELDS,
  type SlackMessage,
  type SlackWebhookOptions,
  webhookOf,
} from "./webhook.ts";

/** Posts to a Slack channel from a task, with an incoming webhook. */
export class SlackWebhookOperator extends BaseOperator<SlackWebhookOptions, void, keyof SlackMessage> {
  static override readonly templateFields: readonly string[] = SLACK_TEMPLATE_FIELDS;
  static override readonly optionNames: readonly string[] = SLACK_OPTION_NAMES;

  async execute(ctx: TaskContext): Promise<void> {
    const { webhookUrl, slackWebhookConnId = SLACK_CONNECTION } = this.options;
    const url =
      webhookUrl === undefined ? webhookOf(await ctx.connection(slackWebhookConnId)) : parseWebhook(webhookUrl, "webhookUrl");
    await postToSlack(url, this.options, ctx.signal);
  }
}
