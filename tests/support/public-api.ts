import { randomBytes } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { distFile } from "../../src/main/dist-file.ts";
import { createNameRule, createTokens, silentLogger, silentMetrics, systemClock } from "../../src/platform/index.ts";
import {
  createHashPool,
  createKnownUsers,
  createPublicApi,
  type PublicApiOptions,
  type PublicApiResources,
  type Role,
} from "../../src/public-api/index.ts";
import { createDagCache } from "../../src/scheduler/commands/index.ts";
import { createCipher, type Store } from "../../src/store/index.ts";
import { createFolderLogStore } from "../../src/task-logs/index.ts";
import { signUserToken } from "./user-token.ts";

export type Asked = { status: number; headers: Headers; json: JsonAnswer; text: string };
/** Untyped, so that tests can read any field of an answer. */
// biome-ignore lint/suspicious/noExplicitAny: each test expects other fields
export type JsonAnswer = any;

export type TestApi = Awaited<ReturnType<typeof createTestApi>>;

/** The public API on a test's database, called without a port. `as` is the role of the client; null = no token. */
export async function createTestApi(
  store: Store,
  overrides: { resources?: Partial<PublicApiResources>; options?: Partial<PublicApiOptions> } = {},
) {
  const logFolder = mkdtempSync(join(tmpdir(), "baram-logs-"));
  const resources: PublicApiResources = {
    store,
    dags: createDagCache(),
    tokens: createTokens(randomBytes(32)),
    users: createKnownUsers(store, overrides.resources?.clock ?? systemClock),
    hashes: createHashPool({ entry: distFile("public-api/auth/hash-thread.js") }),
    logs: createFolderLogStore(logFolder),
    cipher: createCipher(randomBytes(32)),
    clock: systemClock,
    logger: silentLogger,
    metrics: silentMetrics,
    defaultExecutor: "LocalExecutor",
    executors: ["LocalExecutor"],
    ...overrides.resources,
  };
  const options: PublicApiOptions = {
    tokenTtlSec: 3_600,
    cliTokenTtlSec: 60,
    fallbackPageLimit: 50,
    maximumPageLimit: 100,
    allowTriggerInFuture: false,
    healthThresholdSec: { SchedulerJob: 30, DagProcessorJob: 30, TriggererJob: 30, ApiServerJob: 30, WorkerJob: 30 },
    allowedRunId: /^/,
    workerLostAfterSec: 30,
    trustedProxies: null,
    isSensitiveName: createNameRule(),
    version: "0.0.0-test",
    ...overrides.options,
  };
  const app = createPublicApi(resources, options);

  const tokens = new Map<Role, Promise<string>>();
  const tokenOf = (role: Role) => {
    const token = tokens.get(role) ?? signUserToken(store, resources.tokens, { username: `a-${role}`, role });
    tokens.set(role, token);
    return token;
  };

  /** `from`: the address of the connection. */
  async function ask(
    method: string,
    path: string,
    request: { body?: unknown; raw?: string; as?: Role | null; headers?: Record<string, string>; from?: string } = {},
  ): Promise<Asked> {
    const role = request.as === undefined ? "admin" : request.as;
    const headers: Record<string, string> = { ...request.headers };
    if (role !== null) headers.authorization ??= `Bearer ${await tokenOf(role)}`;
    const body = request.raw ?? (request.body === undefined ? undefined : JSON.stringify(request.body));
    if (body !== undefined) headers["content-type"] ??= "application/json";
    const environment = { incoming: { socket: { remoteAddress: request.from } } };
    const response = await app.request(path, { method, headers, body }, environment);
    const text = await response.text();
    const isJson = response.headers.get("content-type")?.includes("application/json") ?? false;
    return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : null };
  }
  return { app, resources, options, logFolder, ask, get: (path: string) => ask("GET", path) };
}
