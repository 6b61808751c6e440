import type { Connection, JsonObject } from "../../contracts/index.ts";
import { BaramError, sleep, timeoutSignal, toError } from "../../platform/index.ts";
import type { DurationInput } from "../../sdk/index.ts";
import { durationToSeconds } from "../../sdk/runtime.ts";

/** A message as Slack's incoming webhooks take it. At least one of text, blocks and attachments. */
export type SlackMessage = {
  text?: string;
  blocks?: readonly JsonObject[];
  attachments?: readonly JsonObject[];
  /** Legacy webhooks only: others post to the channel they were made for. */
  channel?: string;
  username?: string;
  iconEmoji?: string;
};

export type SlackWebhookOptions = SlackMessage & {
  /** Connection of type slackwebhook. Default "slack_default". */
  slackWebhookConnId?: string;
  /** The whole webhook URL instead of a connection. It is a secret: whoever has it can post. */
  webhookUrl?: string;
  /** For one request. Default "30s". */
  timeout?: DurationInput;
  /** Requests in all, the further ones after 429, 5xx and failed connections. Default 4. */
  maxAttempts?: number;
};

/** The options that are rendered; the URL is not among them, since rendered fields are shown. */
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
 * Posts a message. Slack's 429 and 5xx and connections that fail are tried again, after `Retry-After` where the answer has
 * it; a request that timed out is not, since it may have been posted.
 * @throws BaramError slack_failed, slack_invalid: name status and remedy, and never the URL's secret part.
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
      // A redirect would carry the message to who knows where.
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
    if (signal.aborted)
      return failed("the message to Slack was given up, since the task was told to stop", { isTransient: false });
    if (timeout.aborted) {
      const message = `Slack's webhook at ${url.host} did not answer within ${timeoutSec} s: raise timeout, or see whether the message is there`;
      return failed(message, { isTransient: false });
    }
    const cause = toError(thrown).cause;
    const why = toError(cause ?? thrown).message;
    const message = `Slack's webhook at ${url.host} cannot be reached: ${why}. Check the host and this worker's way to the network`;
    return failed(message, { isTransient: true });
  }
}

function remedyFor(status: number): string {
  if (status === 400) return "the message is not as Slack wants it; check text, blocks and attachments";
  if (status === 403 || status === 404 || status === 410)
    return "the webhook is not valid any more, or may not post there; make a new one and put it into the connection";
  if (status === 429) return "too many messages; send fewer, or raise maxAttempts";
  if (status >= 500) return "Slack has a fault; raise maxAttempts, or try later";
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
 * The URL of a connection as Airflow keeps it: host (default hooks.slack.com/services) and the secret path as password; or
 * the whole URL as password.
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
  // Never with the text itself: it is the secret.
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new BaramError("slack_invalid", `${where} makes no http or https URL.`);
  return url;
}

/** What the server says may quote what it was sent to. */
function withoutSecret(text: string, { pathname, search }: URL): string {
  const parts = [pathname + search, pathname, ...pathname.split("/").filter((part) => part.length >= 5 && part !== "services")];
  return parts.filter((part) => part.length > 1).reduce((shown, part) => shown.replaceAll(part, "***"), text);
}
