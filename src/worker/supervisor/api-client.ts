import http from "node:http";
import https from "node:https";
import { gunzipSync } from "node:zlib";
import { silentLogger, sleep } from "../../platform/index.ts";
import { ApiRefusal, foreignAnswer, readRefusal } from "./api-answer.ts";
import { bearerOf } from "./bearer.ts";
import { createOutageTeller, type OutageTeller } from "./outage-teller.ts";

export { ApiRefusal } from "./api-answer.ts";

export type ApiClient = {
  /** A queue worker's own token, which starts what its broker delivers; null: none, or it has ended. */
  readonly workerToken: string | null;
  /** For calls that are repeated. */
  readonly outage: OutageTeller;
  /** Throws ApiRefusal for any answer but success; any other error = the API could not be reached. */
  post<T>(path: string, body: unknown, token: string | undefined): Promise<T>;
  /** As `post`, for a body that is already JSON. */
  postJson<T>(path: string, json: string, token: string | undefined): Promise<T>;
  getModule(hash: string, token: string): Promise<{ code: string; externals: string[] }>;
  close(): void;
};

const TIMEOUT_MS = 30_000;
/** A longer answer is refused while it is received, since it is held in memory more than once. */
const ANSWER_MAX_BYTES = 256 * 1024 * 1024;
/** The first byte of all that gzip writes. */
const GZIP_START = 0x1f;

export type ApiClientOptions = {
  workerToken?: (() => string | null) | undefined;
  outage?: OutageTeller | undefined;
};

/** Talks to the execution API at `baseUrl`, e.g. http://127.0.0.1:8080/execution, over kept-alive connections. */
export function createApiClient(baseUrl: string, options: ApiClientOptions = {}): ApiClient {
  const { workerToken = () => null } = options;
  const outage = options.outage ?? createOutageTeller({ url: baseUrl, everyMs: 0, logger: silentLogger });
  const base = new URL(baseUrl.endsWith("/") ? baseUrl : `${baseUrl}/`);
  const transport = base.protocol === "https:" ? https : http;
  const agent = new transport.Agent({ keepAlive: true, maxSockets: 16 });

  function send(
    method: string,
    path: string,
    token: string | undefined,
    body: string | null,
  ): Promise<{ headers: http.IncomingHttpHeaders; body: Buffer }> {
    return new Promise((resolve, reject) => {
      const headers: Record<string, string | number> = { accept: "application/json" };
      if (body !== null) {
        headers["content-type"] = "application/json";
        headers["content-length"] = Buffer.byteLength(body);
      }
      if (token) headers.authorization = `Bearer ${token}`;
      const request = transport.request(new URL(path, base), { method, agent, headers, timeout: TIMEOUT_MS }, (answer) => {
        const chunks: Buffer[] = [];
        let sizeBytes = 0;
        answer.on("data", (chunk: Buffer) => {
          sizeBytes += chunk.length;
          if (sizeBytes <= ANSWER_MAX_BYTES) return void chunks.push(chunk);
          reject(new ApiRefusal(413, "answer_too_large", `the API's answer has more than ${ANSWER_MAX_BYTES} bytes`));
          request.destroy();
        });
        answer.on("error", reject);
        answer.on("end", () => {
          const whole = Buffer.concat(chunks);
          const status = answer.statusCode ?? 0;
          const isGood = status >= 200 && status < 300;
          const refusal = isGood ? null : readRefusal(status, answer.headers, whole);
          // A proxy's "bad gateway" is no answer of the API's, and neither is the "not found" of another server.
          if (refusal === null || (refusal.foreign === null && !isTransient(refusal))) outage.reached();
          if (refusal) reject(refusal);
          else resolve({ headers: answer.headers, body: whole });
        });
      });
      request.on("timeout", () => request.destroy(new Error(`no answer within ${TIMEOUT_MS / 1_000} s`)));
      request.on("error", (error: NodeJS.ErrnoException) =>
        // If a name has several addresses, the aggregate error has no message.
        reject(new Error(`the API at ${base.origin} cannot be reached: ${error.message || error.code}`, { cause: error })),
      );
      request.end(body ?? undefined);
    });
  }
  async function postJson<T>(path: string, json: string, token: string | undefined): Promise<T> {
    const answer = await send("POST", path, token, json);
    try {
      return JSON.parse(answer.body.toString("utf8")) as T;
    } catch {
      throw foreignAnswer(answer.headers, answer.body);
    }
  }

  return {
    get workerToken() {
      return workerToken();
    },
    outage,
    // `async`, so that a body that JSON cannot represent is a rejection, too.
    post: async (path, body, token) => postJson(path, JSON.stringify(body), token),
    postJson,
    async getModule(hash, token) {
      const answer = await send("GET", `baram/modules/${hash}`, bearerOf([token], workerToken()), null);
      // A page in its place, from a proxy.
      if (answer.body[0] !== GZIP_START) throw foreignAnswer(answer.headers, answer.body);
      const externals = JSON.parse(String(answer.headers["x-baram-externals"] ?? "[]")) as string[];
      return { code: gunzipSync(answer.body).toString("utf8"), externals };
    },
    close: () => agent.destroy(),
  };
}

/** Whether a retry may help: the API is away, restarting or overloaded. */
export function isTransient(error: unknown): boolean {
  return !(error instanceof ApiRefusal) || error.status >= 500 || error.status === 429;
}

/**
 * Retries until the API answers, for `windowMs` at most, then throws the last error. For calls that may be repeated. `what`: completes
 * "the API cannot be reached to …".
 */
export async function askAgain<T>(
  ask: () => Promise<T>,
  { windowMs, outage, what }: { windowMs: number; outage: OutageTeller; what: string },
): Promise<T> {
  const deadline = Date.now() + windowMs;
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      if (!isTransient(error) || Date.now() > deadline) throw error;
      const waitMs = Math.min(5_000, 50 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2);
      outage.failed(what, error, waitMs);
      await sleep(waitMs);
    }
  }
}
