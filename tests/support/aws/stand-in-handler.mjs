// Replaces baram/lambda in tests of an executor without an API: behaves as the task's executorConfig specifies.
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

export async function handler(event, context) {
  const { task_key, queue_url, executor_config } = event;
  const { mode = "succeed", sleepMs = 0 } = executor_config;
  if (mode === "throw") throw new Error("the handler broke");
  await new Promise((resolve) => setTimeout(resolve, sleepMs));
  if (mode === "silent") return null;
  const result = { task_key, return_code: mode === "fail" ? 1 : 0, reason: mode === "fail" ? "it could not report" : undefined };
  const client = new SQSClient({});
  await client.send(new SendMessageCommand({ QueueUrl: queue_url, MessageBody: JSON.stringify(result) }));
  client.destroy();
  return { ...result, left: context.getRemainingTimeInMillis() };
}
