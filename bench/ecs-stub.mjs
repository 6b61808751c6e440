// An ECS that accepts every task and keeps it RUNNING until it is stopped. It runs in its own thread, so that its answers take no
// time of the scheduler's event loop.
import { createServer } from "node:http";
import { parentPort } from "node:worker_threads";

const CLUSTER = { clusterName: "main", status: "ACTIVE", defaultCapacityProviderStrategy: [] };
const DEFINITION = { family: "baram", containerDefinitions: [{ name: "baram" }] };
/** ARN → status. */
const tasks = new Map();
let requests = 0;
let isStopping = false;

const actions = {
  DescribeClusters: () => ({ clusters: [CLUSTER], failures: [] }),
  DescribeTaskDefinition: () => ({ taskDefinition: DEFINITION }),
  RunTask({ clientToken }) {
    const taskArn = `arn:aws:ecs:us-east-1:123456789012:task/main/${clientToken.replaceAll("-", "")}`;
    tasks.set(taskArn, "RUNNING");
    return { tasks: [{ taskArn, lastStatus: "PROVISIONING" }], failures: [] };
  },
  DescribeTasks: ({ tasks: asked }) => ({
    tasks: asked
      .filter((arn) => tasks.has(arn))
      .map((taskArn) => ({
        taskArn,
        lastStatus: isStopping ? "STOPPED" : "RUNNING",
        startedAt: 1,
        // As large as AWS's own answers.
        attachments: Array.from({ length: 4 }, (_, at) => ({ id: `${at}`, type: "ElasticNetworkInterface", details: [] })),
        containers: [{ name: "baram", lastStatus: "RUNNING", ...(isStopping ? { exitCode: 0 } : {}) }],
      })),
    failures: asked.filter((arn) => !tasks.has(arn)).map((arn) => ({ arn, reason: "MISSING" })),
  }),
};

const server = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const action = String(request.headers["x-amz-target"]).split(".").at(-1);
  requests++;
  response.writeHead(200, { "content-type": "application/x-amz-json-1.1" });
  response.end(JSON.stringify(actions[action]?.(JSON.parse(Buffer.concat(chunks).toString("utf8"))) ?? {}));
});
server.listen(0, "127.0.0.1", () => parentPort.postMessage({ url: `http://127.0.0.1:${server.address().port}` }));
parentPort.on("message", (message) => {
  if (message === "stop tasks") isStopping = true;
  parentPort.postMessage({ requests });
});
