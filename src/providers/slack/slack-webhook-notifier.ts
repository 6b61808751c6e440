import { BaseNotifier, type NotifierContext } from "../../sdk/index.ts";
import {
  parseWebhook,
  postToSlack,
  SLACK_CONNECTION,
  SLACK_OPTION_NAMES,
  SLACK_TEMPLATE_FIELDS,
  type SlackWebhookOptions,
  webhookOf,
} from "./webhook.ts";

/** Posts to a Slack channel from a callback, with an incoming webhook. */
export class SlackWebhookNotifier extends BaseNotifier<SlackWebhookOptions> {
  static override readonly templateFields: readonly string[] = SLACK_TEMPLATE_FIELDS;
  static override readonly optionNames: readonly string[] = SLACK_OPTION_NAMES;

  async notify(ctx: NotifierContext): Promise<void> {
    const { webhookUrl, slackWebhookConnId = SLACK_CONNECTION } = this.options;
    const url =
      webhookUrl === undefined ? webhookOf(await ctx.connection(slackWebhookConnId)) : parseWebhook(webhookUrl, "webhookUrl");
    await postToSlack(url, this.options, ctx.signal);
  }
}
