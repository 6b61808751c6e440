import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { define, failureOf, runOneTask } from "../../../tests/support/run-one-task.ts";
import type { Connection } from "../../contracts/index.ts";
import { task } from "../../sdk/index.ts";
import { SlackWebhookNotifier, SlackWebhookOperator } from "./index.ts";
import { webhookOf } from "./webhook.ts";

type Request = { url: string | undefined; body: Record<string, unknown> };
const SECRET = "T00000000/B00000000/XXXXsecretXXXX";

let server: Server | undefined;
let requests: Request[] = [];
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A webhook that returns these answers in turn, and then repeats the last one. Returns the connection to it. */
async function startSlack(...answers: ((response: ServerResponse, request: IncomingMessage) => void)[]): Promise<Connection> {
  requests = [];
  const made = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    requests.push({ url: request.url, body: JSON.parse(body) });
    (answers[requests.length - 1] ?? answers.at(-1))?.(response, request);
  });
  server = made;
  const port = await new Promise<number>((resolve) =>
    made.listen(0, "127.0.0.1", () => resolve((made.address() as { port: number }).port)),
  );
  return slackConnection({ host: "127.0.0.1/services", port, schema: "http" });
}

function slackConnection(given: Partial<Connection>): Connection {
  const none = { description: null, host: null, schema: null, login: null, port: null, extra: {} };
  return { connId: "slack_default", connType: "slackwebhook", ...none, password: SECRET, ...given };
}

const answer =
  (status: number, text: string, headers: Record<string, string> = {}) =>
  (response: ServerResponse) =>
    response.writeHead(status, headers).end(text);
const ok = answer(200, "ok");

async function post(connection: Connection, options: Partial<ConstructorParameters<typeof SlackWebhookOperator>[0]> = {}) {
  const definition = define(() => void new SlackWebhookOperator({ taskId: "tell", text: "{{ ds }} & <done>", ...options }));
  return runOneTask(definition, { connections: { slack_default: connection } });
}

describe("SlackWebhookOperator", () => {
  it("posts what a webhook takes, rendered", async () => {
    const connection = await startSlack(ok);
    const blocks = [{ type: "section", text: { type: "mrkdwn", text: "*{{ ti.task_id }}*" } }];
    const { outcome } = await post(connection, { blocks, channel: "#ops", username: "baram", iconEmoji: ":wind_face:" });
    expect(outcome.state).toBe("success");
    expect(requests).toEqual([
      {
        url: `/services/${SECRET}`,
        body: {
          text: "2024-01-31 & <done>",
          blocks: [{ type: "section", text: { type: "mrkdwn", text: "*tell*" } }],
          channel: "#ops",
          username: "baram",
          icon_emoji: ":wind_face:",
        },
      },
    ]);
  });

  it("waits as long as a 429 says, then posts again", async () => {
    const connection = await startSlack(answer(429, "rate_limited", { "retry-after": "1" }), ok);
    const startedAt = Date.now();
    expect((await post(connection)).outcome.state).toBe("success");
    expect(requests).toHaveLength(2);
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(950);
  });

  it("tries again after 500, so often and no more, and names status and remedy without the secret", async () => {
    const connection = await startSlack(answer(500, `cannot post to /services/${SECRET}`));
    const { error } = failureOf((await post(connection, { maxAttempts: 2 })).outcome);
    expect(requests).toHaveLength(2);
    expect(error.message).toContain("answered 500");
    expect(error.message).toContain("raise maxAttempts");
    expect(JSON.stringify(error)).not.toMatch(/XXXXsecretXXXX|B00000000/);
  });

  it.each([
    [404, "no_service", "make a new one"],
    [400, "invalid_blocks", "check text, blocks"],
    [302, "", "not followed"],
  ])("takes %i for final", async (status, text, remedy) => {
    const connection = await startSlack(answer(status, text, { location: "http://127.0.0.1:1/" }));
    const { error } = failureOf((await post(connection)).outcome);
    expect(requests).toHaveLength(1);
    expect(error.message).toContain(`${status}`);
    expect(error.message).toContain(remedy);
    expect(error.message).not.toContain("secret");
  });

  it("gives up a server that does not answer, once", async () => {
    const connection = await startSlack(() => {});
    const { error } = failureOf((await post(connection, { timeout: "200ms" })).outcome);
    expect(requests).toHaveLength(1);
    expect(error.message).toContain("did not answer within 0.2 s");
    expect(JSON.stringify(error)).not.toContain("secret");
  });

  it("names a host that is not there", async () => {
    const connection = await startSlack(ok);
    await new Promise((resolve) => server?.close(resolve));
    const { error } = failureOf((await post(connection, { maxAttempts: 1 })).outcome);
    expect(error.message).toMatch(/cannot be reached: .*ECONNREFUSED/);
    expect(JSON.stringify(error)).not.toContain("secret");
  });

  it("refuses an empty message, and a connection that makes no URL", async () => {
    const connection = await startSlack(ok);
    expect(failureOf((await post(connection, { text: "" })).outcome).error.message).toContain("needs text");
    const broken = slackConnection({ host: "not a host", password: "secret-path" });
    const { error } = failureOf((await post(broken)).outcome);
    expect(error.message).toContain('connection "slack_default" does not give an http');
    expect(JSON.stringify(error)).not.toContain("secret-path");
    expect(requests).toEqual([]);
  });
});

describe("SlackWebhookNotifier", () => {
  it("stands where a callback does, knows the failure, and changes no outcome when it fails", async () => {
    const connection = await startSlack(answer(403, "invalid_token"), ok);
    const onFailure = [1, 2].map((n) => new SlackWebhookNotifier({ text: `${n}: {{ ti.task_id }}: {{ exception }}` }));
    const definition = define(() => {
      task({ taskId: "t", onFailure }, () => Promise.reject(new TypeError("no rows")))();
    });
    const { outcome, runCallbacks, logs } = await runOneTask(definition, { connections: { slack_default: connection } });
    await runCallbacks();
    expect(failureOf(outcome).error.message).toBe("no rows");
    expect(requests.map(({ body }) => body.text)).toEqual(["1: t: TypeError: no rows", "2: t: TypeError: no rows"]);
    const failed = logs.filter(({ message }) => message.includes("SlackWebhookNotifier of onFailure failed"));
    expect(failed).toHaveLength(1);
    expect(JSON.stringify(failed)).not.toContain("secret");
  });
});

it("makes the URL of a connection as Airflow keeps it", () => {
  const read = (given: Partial<Connection>) => webhookOf(slackConnection(given)).href;
  expect(read({})).toBe(`https://hooks.slack.com/services/${SECRET}`);
  expect(read({ host: "https://hooks.slack-gov.com/services/" })).toBe(`https://hooks.slack-gov.com/services/${SECRET}`);
  expect(read({ host: "chat.example.com/hooks", port: 8443, password: "/x" })).toBe("https://chat.example.com:8443/hooks/x");
  expect(read({ password: "https://hooks.slack.com/services/A/B/C" })).toBe("https://hooks.slack.com/services/A/B/C");
  expect(() => read({ password: null })).toThrow("has no password");
  expect(() => read({ password: "https://[bad secret" })).toThrow(/^(?!.*bad secret)/);
});
