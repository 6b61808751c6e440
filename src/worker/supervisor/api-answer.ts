/** The API's answers that are not the one that was asked for. */
import type { IncomingHttpHeaders } from "node:http";
import { BaramError } from "../../platform/index.ts";

/** An answer that is not in the form of Baram's API: of a proxy, or of another server. */
export type Foreign = {
  /** Where it redirects to. */
  location: string | null;
  /** The title of its page, or the beginning of its text. */
  title: string | null;
};

/** The API answered, but not with success. */
export class ApiRefusal extends BaramError {
  readonly status: number;
  readonly foreign: Foreign | null;

  constructor(
    status: number,
    code: string,
    message: string,
    facts: Record<string, unknown> = {},
    foreign: Foreign | null = null,
  ) {
    super(code, message, { ...facts, status });
    this.status = status;
    this.foreign = foreign;
  }
}

/** A refusal by Baram's API itself, and not by what stands in front or in place of it. */
export function isOwnRefusal(error: unknown): error is ApiRefusal {
  return error instanceof ApiRefusal && error.foreign === null;
}

/** An answer with success that is not Baram's. It may pass: proxies show pages with status 200 while a server is restarted. */
export class ForeignAnswer extends Error {}

const TITLE_MAX = 120;

export function readRefusal(status: number, headers: IncomingHttpHeaders, body: Buffer): ApiRefusal {
  try {
    const { detail } = JSON.parse(body.toString("utf8")) as { detail?: { reason?: string; message?: string } };
    if (detail?.reason !== undefined)
      return new ApiRefusal(status, detail.reason, detail.message ?? `the API answered ${status}`);
  } catch {
    // a proxy's page, not ours
  }
  const location = status >= 300 && status < 400 ? (headers.location ?? null) : null;
  const title = titleOf(headers, body);
  const said = [location === null ? null : `to ${location}`, title === null ? null : `"${title}"`].filter(Boolean).join(", ");
  const message = `the API answered ${status}${said === "" ? "" : ` (${said})`}`;
  return new ApiRefusal(status, `http_${status}`, message, {}, { location, title });
}

export function foreignAnswer(headers: IncomingHttpHeaders, body: Buffer): ForeignAnswer {
  const title = titleOf(headers, body);
  const type = headers["content-type"] ?? "no content type";
  return new ForeignAnswer(`the answer is not one of Baram's API: ${type}${title === null ? "" : `, "${title}"`}`);
}

function titleOf(headers: IncomingHttpHeaders, body: Buffer): string | null {
  if (!/text|json/.test(headers["content-type"] ?? "")) return null;
  const start = body.subarray(0, 4_096).toString("utf8");
  const text = /<(title|h1)[^>]*>([^<]+)/i.exec(start)?.[2] ?? start.replace(/<[^>]*>/g, " ");
  const shown = text
    .replace(/[\s\p{Cc}]+/gu, " ")
    .trim()
    .slice(0, TITLE_MAX);
  return shown === "" ? null : shown;
}
