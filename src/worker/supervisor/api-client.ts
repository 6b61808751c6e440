import http from "node:http";
import https from "node:https";
import { gunzipSync } from "node:zlib";
import { BaramError, sleep } from "../../platform/index.ts";
import { bearerOf } from "./bearer.ts";

/** The API answered, but not with success. */
export class ApiRefusal extends BaramError {
  readonly status: number;

  constructor(status: number, code: string, message: string, facts: Record<string, unknown> = {}) {
    super(code, message, { ...facts, status });
    this.status = status;
  }
}

export type ApiClient = {
  /** A queue worker's own token, which starts what its broker delivers. */
  readonly workerToken: string | null;
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

/** Talks to the execution API at `baseUrl`, e.g. http://127.0.0.1:8080/execution, over kept-alive connections. */
export function createApiClient(baseUrl: string, workerToken: string | null = null): ApiClient {
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
          if (status >= 200 && status < 300) resolve({ headers: answer.headers, body: whole });
          else reject(readRefusal(status, whole));
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
    return JSON.parse(answer.body.toString("utf8")) as T;
  }

  return {
    workerToken,
    // `async`, so that a body that JSON cannot represent is a rejection, too.
    post: async (path, body, token) => postJson(path, JSON.stringify(body), token),
    postJson,
    async getModule(hash, token) {
      const answer = await send("GET", `baram/modules/${hash}`, bearerOf([token], workerToken), null);
      const externals = JSON.parse(String(answer.headers["x-baram-externals"] ?? "[]")) as string[];
      return { code: gunzipSync(answer.body).toString("utf8"), externals };
    },
    close: () => agent.destroy(),
  };
}

function readRefusal(status: number, body: Buffer): ApiRefusal {
  let reason = `http_${status}`;
  let message = `the API answered ${status}`;
  try {
    const { detail } = JSON.parse(body.toString("utf8")) as { detail?: { reason?: string; message?: string } };
    reason = detail?.reason ?? reason;
    message = detail?.message ?? message;
  } catch {
    // a proxy's page, not ours
  }
  return new ApiRefusal(status, reason, message);
}

/** Whether a retry may help: the API is away, restarting or overloaded. */
export function isTransient(error: unknown): boolean {
  return !(error instanceof ApiRefusal) || error.status >= 500 || error.status === 429;
}

/** Retries until the API answers, for `windowMs` at most, then throws the last error. For calls that may be repeated. */
export async function askAgain<T>(ask: () => Promise<T>, windowMs: number): Promise<T> {
  const deadline = Date.now() + windowMs;
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      if (!isTransient(error) || Date.now() > deadline) throw error;
      await sleep(Math.min(5_000, 50 * 2 ** Math.min(attempt, 10)) * (0.5 + Math.random() / 2));
    }
  }
}
