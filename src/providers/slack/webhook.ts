import type { Connection, JsonObject } from "../../contracts/index.ts";
import { BaramError, sleep, timeoutSignal, toError } from "../../platform/index.ts";
import type { DurationInput } from "../../sdk/index.ts";
import { durationToSeconds } from "../../sdk/runtime.ts";

/** A message for Slack's incoming webhooks. Needs at least one of text, blocks and attachments. */
export type SlackMessage = {
  text?: string;
  blocks?: readonly JsonObject[];
  attachments?: readonly JsonObject[];
  /** For legacy webhooks only: others always post to the channel for which they were created. */
  channel?: string;
  username?: string;
  iconEmoji?: string;
};

export type SlackWebhookOptions = SlackMessage & {
  /** Connection of type slackwebhook. Default "slack_default". */
  slackWebhookConnId?: string;
  /** The complete webhook URL instead of a connection. It is a secret: everyone who has it can post. */
  webhookUrl?: string;
  /** Timeout of one request. Default "30s". */
  timeout?: DurationInput;
  /** Maximum number of requests. Repeated after 429, 5xx and failed connections. Default 4. */
  maxAttempts?: number;
};

/** The options that are rendered. The URL is not one of them, since rendered fields are shown. */
export const SLACK_TEMPLATE_FIELDS: readonly string[] = ["text", "blocks", "attachments", "channel", "username", "iconEmoji"];
export const SLACK_OPTION_NAMES: readonly string[] = Object.keys({
  slackWebhookConnId: true,
  webhookUrl: true,
  timeout: true,
  maxAttempts: true,
} satisfies Record<Exclude<keyof SlackWebhookOptions, keyof SlackMessage>, true>);

export const SLACK_CONNECTION = "slack_default";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 60_000;

/**
 * Posts a message. After 429, 5xx and failed connections it is sent again, after the time in `Retry-After` if the answer has it.
 * It is not sent again after a timeout, since it may have been posted.
 * @throws BaramError slack_failed, slack_invalid: names the status and the remedy, but never the secret part of the URL.
 */
export async function postToSlack(url: URL, options: SlackWebhookOptions, signal: AbortSignal): Promise<void> {
  const { maxAttempts = 4, timeout = "30s" } = options;
  const timeoutSec = durationToSeconds("timeout of the Slack webhook", timeout);
  const body = JSON.stringify(payloadOf(options));
  for (let attempt = 1; ; attempt++) {
    const answer = await postOnce(url, body, timeoutSec, signal);
    if (answer.ok) return;
    if (!answer.isTransient || attempt >= maxAttempts || signal.aborted)
      throw new BaramError("slack_failed", answer.message, answer.facts);
    const pauseMs = answer.retryAfterMs ?? FIRST_PAUSE_MS * 2 ** (attempt - 1);
    await sleep(Math.min(pauseMs, LONGEST_PAUSE_MS), signal);
  }
}

type Answer =
  | { ok: true }
  | { ok: false; isTransient: boolean; retryAfterMs: number | null; message: string; facts: Record<string, unknown> };

async function postOnce(url: URL, body: string, timeoutSec: number, signal: AbortSignal): Promise<Answer> {
  const timeout = timeoutSignal(timeoutSec * 1_000);
  const failed = (message: string, rest: { isTransient: boolean; status?: number; retryAfterMs?: number | null }): Answer => ({
    ok: false,
    isTransient: rest.isTransient,
    retryAfterMs: rest.retryAfterMs ?? null,
    message: withoutSecret(message, url),
    facts: { host: url.host, status: rest.status ?? null },
  });
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json; charset=utf-8" },
      body,
      // A redirect could send the message to an unknown server.
      redirect: "manual",
      signal: AbortSignal.any([timeout, signal]),
    });
    const said = (await response.text()).slice(0, 200).trim();
    const { status } = response;
    if (response.ok) return { ok: true };
    const isTransient = status === 429 || status >= 500;
    const message = `Slack's webhook at ${url.host} answered ${status}${said === "" ? "" : ` (${said})`}: ${remedyFor(status)}`;
    return failed(message, { isTransient, status, retryAfterMs: readRetryAfter(response.headers.get("retry-after")) });
  } catch (thrown) {
    if (signal.aborted) return failed("the message to Slack was not sent, since the task is stopping", { isTransient: false });
    if (timeout.aborted) {
      const message = `Slack's webhook at ${url.host} did not answer within ${timeoutSec} s: raise timeout, or check whether the message was posted`;
      return failed(message, { isTransient: false });
    }
    const cause = toError(thrown).cause;
    const why = toError(cause ?? thrown).message;
    const message = `Slack's webhook at ${url.host} cannot be reached: ${why}. Check the host and this worker's network access`;
    return failed(message, { isTransient: true });
  }
}

function remedyFor(status: number): string {
  if (status === 400) return "Slack does not accept the format of the message; check text, blocks and attachments";
  if (status === 403 || status === 404 || status === 410)
    return "the webhook is not valid any more, or may not post there; make a new one and put it into the connection";
  if (status === 429) return "too many messages; send fewer, or raise maxAttempts";
  if (status >= 500) return "Slack has an internal error; raise maxAttempts, or try later";
  if (status >= 300 && status < 400) return "it wants to redirect, which is not followed; check the URL";
  return "see Slack's documentation of incoming webhooks";
}

/** Seconds or a date (RFC 9110, 10.2.3). */
function readRetryAfter(header: string | null): number | null {
  if (header === null) return null;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}

function payloadOf({ text, blocks, attachments, channel, username, iconEmoji }: SlackMessage): Record<string, unknown> {
  const isEmpty = [text, blocks, attachments].every((part) => part === undefined || part.length === 0);
  if (isEmpty) throw new BaramError("slack_invalid", "A message to Slack needs text, blocks or attachments.");
  return { text, blocks, attachments, channel, username, icon_emoji: iconEmoji };
}

/**
 * The webhook URL of a connection in Airflow's format: the host (default hooks.slack.com/services), with the secret path as the
 * password; or the whole URL as the password.
 * @throws BaramError slack_invalid
 */
export function webhookOf(connection: Connection): URL {
  const { connId, host, password, schema, port } = connection;
  if (password === null || password === "")
    throw new BaramError(
      "slack_invalid",
      `Connection "${connId}" has no password: put the webhook's secret path or whole URL there.`,
      { connId },
    );
  if (/^https?:\/\//i.test(password)) return parseWebhook(password, `the password of connection "${connId}"`);
  const base = host === null ? "hooks.slack.com/services" : host.replace(/\/+$/, "");
  const withScheme = /^https?:\/\//i.test(base) ? base : `${schema === "http" ? "http" : "https"}://${base}`;
  const root = port === null ? withScheme : withScheme.replace(/^(https?:\/\/[^/]+)/i, `$1:${port}`);
  return parseWebhook(`${root}/${password.replace(/^\/+/, "")}`, `connection "${connId}"`);
}

export function parseWebhook(text: string, where: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  // The message must not contain the text itself: it is the secret.
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new BaramError("slack_invalid", `${where} does not give an http or https URL.`);
  return url;
}

/** The server's error message may quote the request's URL. */
function withoutSecret(text: string, { pathname, search }: URL): string {
  const parts = [pathname + search, pathname, ...pathname.split("/").filter((part) => part.length >= 5 && part !== "services")];
  return parts.filter((part) => part.length > 1).reduce((shown, part) => shown.replaceAll(part, "***"), text);
}
