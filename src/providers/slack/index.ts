// The API that authors import from "baram/providers/slack".
export { SlackWebhookNotifier } from "./slack-webhook-notifier.ts";
export { SlackWebhookOperator } from "./slack-webhook-operator.ts";
export type { SlackMessage, SlackWebhookOptions } from "./webhook.ts";
