/**
 * AWS for a test: moto answers, and a proxy in front of it really runs the started tasks and functions, and applies faults that a
 * test requests. Everything is on this machine's loopback and ends with `stop()`. Product code reaches it through the SDK by
 * AWS_ENDPOINT_URL.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type MotoServer, startMotoServer } from "../moto-server.ts";
import { checkCluster, createEcsTasks, type EcsTasks, RigRefusal, type RunTaskRequest } from "./ecs-tasks.ts";
import { type AwsError, createFaults, denied, type Faults } from "./faults.ts";
import { createLambdaFunctions, type LambdaFunctions, type RigFunction } from "./lambda-functions.ts";

export type AwsRig = {
  readonly url: string;
  /** For child processes; `use()` sets it for this process. */
  readonly environment: Readonly<Record<string, string>>;
  readonly faults: Faults;
  readonly ecs: EcsTasks;
  readonly lambda: LambdaFunctions;
  /** Number of requests of each action so far, including those to moto. */
  requests(action: string): number;
  /** The access key and region that signed the last request of this action, e.g. `AKIA…@eu-west-1`. */
  signerOf(action: string): string | undefined;
  createCluster(name: string): Promise<void>;
  /** A task definition whose one container runs this command. */
  registerTask(
    family: string,
    container: { name: string; entryPoint: string[]; environment?: { name: string; value: string }[] },
  ): Promise<void>;
  /** Returns its URL. */
  createQueue(name: string): Promise<string>;
  sendMessage(queueUrl: string, body: string): Promise<void>;
  countMessages(queueUrl: string): Promise<number>;
  /** `deadLetterQueueUrl`: receives events that were given up. */
  createFunction(one: Partial<RigFunction> & { name: string; handler: string; deadLetterQueueUrl?: string }): Promise<void>;
  stop(): Promise<void>;
};

const ACCOUNT = "123456789012";

export async function startAwsRig(): Promise<AwsRig> {
  const moto = await startMotoServer();
  const folder = mkdtempSync(join(tmpdir(), "baram-aws-"));
  const faults = createFaults();
  const counts = new Map<string, number>();
  const signers = new Map<string, string>();
  const inside = () => ({ PATH: process.env.PATH ?? "", HOME: folder, TMPDIR: folder, ...environment });
  const ecs = createEcsTasks({ environment: inside, folder });
  const lambda = createLambdaFunctions({ environment: inside, folder });

  const server = http.createServer((request, response) => {
    void answer(request, response).catch((error: Error) => {
      if (!response.headersSent) reply(response, 500, { __type: "InternalError", message: error.message });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`;
  const environment: Record<string, string> = { ...moto.environment, AWS_ENDPOINT_URL: url };
  const before = new Map(Object.keys(environment).map((name) => [name, process.env[name]]));
  Object.assign(process.env, environment);

  async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const body = await read(request);
    const action = actionOf(request);
    counts.set(action, (counts.get(action) ?? 0) + 1);
    const [, accessKey, region] = /Credential=([^/]+)\/[^/]+\/([^/]+)\//.exec(request.headers.authorization ?? "") ?? [];
    signers.set(action, `${accessKey}@${region}`);
    const lacking = lackingPermission(action);
    if (lacking !== null) return refuse(response, denied(lacking));
    const fault = faults.take(action);
    if (fault?.kind === "error") return refuse(response, fault.error);
    if (fault?.kind === "answer") return reply(response, 200, fault.body);
    if (fault?.kind === "lose")
      return reply(response, 200, { MessageId: "00000000-0000-0000-0000-000000000000", MD5OfMessageBody: md5Of(body) });
    if (fault?.kind === "double") await forward(moto, request, body);
    const { status, headers, text } = await carryOut(action, request, body);
    if (fault?.kind === "cut") return void request.socket.destroy();
    if (fault?.kind === "hold") await fault.gate.pass();
    response.writeHead(status, headers);
    response.end(text);
  }

  /** RunTask also needs to pass the roles of the task definition. */
  function lackingPermission(action: string): string | null {
    const { allowedActions } = faults;
    if (allowedActions === null) return null;
    if (!allowedActions.includes(action)) return `ecs:${action}`;
    return action === "RunTask" && !allowedActions.includes("PassRole") ? "iam:PassRole" : null;
  }

  async function carryOut(action: string, request: http.IncomingMessage, body: Buffer): Promise<Answer> {
    try {
      switch (action) {
        case "RunTask":
          return asJson(await runTask(JSON.parse(body.toString("utf8")) as RunTaskRequest));
        case "DescribeTasks": {
          const { tasks, cluster = "default" } = JSON.parse(body.toString("utf8")) as { tasks: string[]; cluster?: string };
          await needCluster(cluster);
          return asJson(ecs.describeAll(cluster, tasks));
        }
        case "ListTasks":
          return asJson(ecs.list(JSON.parse(body.toString("utf8")) as Record<string, string>));
        case "StopTask": {
          const {
            task: arn = "",
            reason = "",
            cluster = "default",
          } = JSON.parse(body.toString("utf8")) as Record<string, string>;
          await needCluster(cluster);
          checkCluster(arn, cluster);
          const task = ecs.find(arn);
          if (!task) throw new RigRefusal("InvalidParameterException", "The referenced task was not found.");
          ecs.stop(task, "UserInitiated", reason);
          return asJson({ task: ecs.describe(task) });
        }
        case "Invoke": {
          const name = /functions\/([^/]+)\/invocations/.exec(request.url ?? "")?.[1] ?? "";
          const one = lambda.find(name);
          if (!one) return await forward(moto, request, body);
          if (request.headers["x-amz-invocation-type"] === "DryRun") return { status: 204, headers: {}, text: "" };
          if (body.length > 256 * 1024)
            return asJson(
              { Type: "User", message: "Request must be smaller than 262144 bytes" },
              413,
              "RequestTooLargeException",
            );
          const { requestId } = lambda.invoke(one, JSON.parse(body.toString("utf8")));
          return { status: 202, headers: { "x-amzn-requestid": requestId }, text: "" };
        }
        case "ReceiveMessage":
          return await receiveMessage(request, body);
        default:
          return await forward(moto, request, body);
      }
    } catch (error) {
      if (error instanceof RigRefusal)
        return asJson({ __type: error.type, message: error.message, ...error.more }, 400, error.type);
      throw error;
    }
  }

  /** Waits here, not in moto, which would continue to wait, and take messages, for a client that has disconnected. */
  async function receiveMessage(request: http.IncomingMessage, body: Buffer): Promise<Answer> {
    const asked = JSON.parse(body.toString("utf8")) as { QueueUrl: string; WaitTimeSeconds?: number };
    const deadline = Date.now() + (asked.WaitTimeSeconds ?? 0) * 1_000;
    const once = Buffer.from(JSON.stringify({ ...asked, WaitTimeSeconds: 0 }));
    while (!request.socket.destroyed) {
      const answer = await forward(moto, request, once);
      const { Messages = [] } = JSON.parse(answer.text.toString()) as { Messages?: { ReceiptHandle: string }[] };
      if (request.socket.destroyed) await putBack(asked.QueueUrl, Messages);
      else if (answer.status !== 200 || Messages.length > 0 || Date.now() > deadline) return answer;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return asJson({});
  }

  async function putBack(QueueUrl: string, messages: { ReceiptHandle: string }[]): Promise<void> {
    const Entries = messages.map(({ ReceiptHandle }, at) => ({ Id: String(at), ReceiptHandle, VisibilityTimeout: 0 }));
    if (Entries.length > 0) await demand("AmazonSQS.ChangeMessageVisibilityBatch", { QueueUrl, Entries });
  }

  async function runTask(request: RunTaskRequest): Promise<object> {
    await needCluster(request.cluster);
    const answer = await askMoto("AmazonEC2ContainerServiceV20141113.DescribeTaskDefinition", {
      taskDefinition: request.taskDefinition,
    });
    const { taskDefinition } = answer as { taskDefinition?: { containerDefinitions: { name: string }[] } };
    if (!taskDefinition) throw new RigRefusal("ClientException", "TaskDefinition not found.");
    if (request.launchType === "FARGATE" && !request.networkConfiguration)
      throw new RigRefusal(
        "InvalidParameterException",
        "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
      );
    const task = ecs.run(request, taskDefinition.containerDefinitions);
    return { tasks: [ecs.describe(task)], failures: [] };
  }

  async function needCluster(cluster = "default"): Promise<void> {
    const { clusters } = (await askMoto("AmazonEC2ContainerServiceV20141113.DescribeClusters", { clusters: [cluster] })) as {
      clusters: object[];
    };
    if (clusters.length === 0) throw new RigRefusal("ClusterNotFoundException", "Cluster not found.");
  }

  /** JSON protocol; the body of an error is returned unchanged. */
  async function askMoto(target: string, body: object): Promise<unknown> {
    const response = await fetch(moto.url, {
      method: "POST",
      headers: {
        "x-amz-target": target,
        "content-type": target.startsWith("AmazonSQS") ? "application/x-amz-json-1.0" : "application/x-amz-json-1.1",
        authorization: signatureFor(target.startsWith("AmazonSQS") ? "sqs" : "ecs"),
      },
      body: JSON.stringify(body),
    });
    return response.json();
  }
  async function demand(target: string, body: object): Promise<Record<string, unknown>> {
    const answer = (await askMoto(target, body)) as Record<string, unknown>;
    if (answer.__type !== undefined) throw new Error(`moto refuses ${target}: ${JSON.stringify(answer)}`);
    return answer;
  }

  const self: AwsRig = {
    url,
    environment,
    faults,
    ecs,
    lambda,
    requests: (action) => counts.get(action) ?? 0,
    signerOf: (action) => signers.get(action),
    async createCluster(clusterName) {
      await demand("AmazonEC2ContainerServiceV20141113.CreateCluster", { clusterName });
    },
    async registerTask(family, container) {
      const containerDefinitions = [{ image: "baram", memory: 512, essential: true, ...container }];
      await demand("AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition", { family, containerDefinitions });
    },
    async createQueue(QueueName) {
      const { QueueUrl } = await demand("AmazonSQS.CreateQueue", { QueueName, Attributes: { VisibilityTimeout: "2" } });
      return String(QueueUrl).replace(moto.url, url);
    },
    async sendMessage(QueueUrl, MessageBody) {
      await demand("AmazonSQS.SendMessage", { QueueUrl, MessageBody });
    },
    async countMessages(QueueUrl) {
      const names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"];
      const { Attributes } = await demand("AmazonSQS.GetQueueAttributes", { QueueUrl, AttributeNames: names });
      return names.reduce((sum, name) => sum + Number((Attributes as Record<string, string>)[name]), 0);
    },
    async createFunction({ deadLetterQueueUrl, ...one }) {
      const whole: RigFunction = {
        timeoutMs: 60_000,
        retries: 2,
        retryDelayMs: 50,
        environment: {},
        async onDead(event, error, requestId) {
          if (!deadLetterQueueUrl) return;
          const attribute = (StringValue: string) => ({ DataType: "String", StringValue });
          const MessageAttributes = {
            RequestID: attribute(requestId),
            ErrorCode: attribute("200"),
            ErrorMessage: attribute(error),
          };
          await demand("AmazonSQS.SendMessage", {
            QueueUrl: deadLetterQueueUrl,
            MessageBody: JSON.stringify(event),
            MessageAttributes,
          });
        },
        ...one,
      };
      lambda.define(whole);
      await defineInMoto(moto, whole);
    },
    async stop() {
      await Promise.all([ecs.close(), lambda.close()]);
      server.close();
      server.closeAllConnections();
      await moto.stop();
      for (const [name, value] of before) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return self;
}

type Answer = { status: number; headers: Record<string, string>; text: string | Buffer };

function actionOf(request: http.IncomingMessage): string {
  const target = request.headers["x-amz-target"];
  if (typeof target === "string") return target.split(".").at(-1) ?? "";
  const path = request.url ?? "";
  if (/\/invocations(\?|$)/.test(path)) return "Invoke";
  return /\/functions\/[^/]+(\/configuration)?(\?|$)/.test(path) ? "GetFunction" : "other";
}

async function read(request: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Queue URLs contain the proxy's address; moto identifies queues by their path. */
async function forward(moto: MotoServer, request: http.IncomingMessage, body: Buffer): Promise<Answer> {
  const headers = Object.fromEntries(
    Object.entries(request.headers).filter(
      ([name]) => !["host", "connection", "content-length", "transfer-encoding", "expect"].includes(name),
    ),
  ) as Record<string, string>;
  const response = await fetch(new URL(request.url ?? "/", moto.url), {
    method: request.method ?? "GET",
    headers,
    ...(body.length > 0 ? { body: new Uint8Array(body) } : {}),
  });
  const kept = [...response.headers].filter(
    ([name]) => !["connection", "content-length", "transfer-encoding", "content-encoding"].includes(name),
  );
  return { status: response.status, headers: Object.fromEntries(kept), text: Buffer.from(await response.arrayBuffer()) };
}

function asJson(body: object, status = 200, type?: string): Answer {
  const headers = { "content-type": "application/x-amz-json-1.1", ...(type ? { "x-amzn-errortype": type } : {}) };
  return { status, headers, text: JSON.stringify(body) };
}

function reply(response: http.ServerResponse, status: number, body: object): void {
  const { headers, text } = asJson(body, status);
  response.writeHead(status, headers);
  response.end(text);
}

function refuse(response: http.ServerResponse, error: AwsError): void {
  const answer = asJson({ __type: error.type, message: error.message }, error.status, error.type);
  response.writeHead(answer.status, answer.headers);
  response.end(answer.text);
}

function md5Of(body: Buffer): string {
  const { MessageBody = "" } = JSON.parse(body.toString("utf8")) as { MessageBody?: string };
  return createHash("md5").update(MessageBody).digest("hex");
}

function signatureFor(service: string): string {
  return `AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/${service}/aws4_request, SignedHeaders=host, Signature=0`;
}

/** So that GetFunction finds it; the rig runs the function. */
async function defineInMoto(moto: MotoServer, one: RigFunction): Promise<void> {
  const role = new URLSearchParams({
    Action: "CreateRole",
    Version: "2010-05-08",
    RoleName: "function",
    AssumeRolePolicyDocument: "{}",
  });
  await fetch(moto.url, {
    method: "POST",
    headers: { authorization: signatureFor("iam"), "content-type": "application/x-www-form-urlencoded" },
    body: role,
  });
  const response = await fetch(`${moto.url}/2015-03-31/functions`, {
    method: "POST",
    headers: { authorization: signatureFor("lambda"), "content-type": "application/json" },
    body: JSON.stringify({
      FunctionName: one.name,
      Runtime: "nodejs20.x",
      Role: `arn:aws:iam::${ACCOUNT}:role/function`,
      Handler: "index.handler",
      Timeout: Math.max(1, Math.round(one.timeoutMs / 1_000)),
      // An empty archive: the rig has the code.
      Code: { ZipFile: Buffer.from(`PK\x05\x06${"\0".repeat(18)}`, "latin1").toString("base64") },
    }),
  });
  if (!response.ok) throw new Error(`moto took no function: ${response.status} ${await response.text()}`);
}
