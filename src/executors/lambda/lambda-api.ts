import type { LambdaClient } from "@aws-sdk/client-lambda";
import type { Message, SQSClient } from "@aws-sdk/client-sqs";
import { checkRegion, clientSettings } from "../aws/client-settings.ts";

/** The requests that the executor makes; each throws what the SDK throws. */
export type LambdaApi = {
  /** Asynchronous: resolves with the request's id when Lambda has taken the event. */
  invoke(payload: string): Promise<string>;
  /** Whether the function is there and may be invoked; invokes nothing. */
  tryInvoke(): Promise<void>;
  functionTimeoutSec(): Promise<number>;
  /** Waits for messages, up to 20 s. */
  receive(queueUrl: string, signal: AbortSignal): Promise<Message[]>;
  remove(queueUrl: string, receipts: string[]): Promise<void>;
  /** Puts messages back for others to see at once. */
  putBack(queueUrl: string, receipts: string[]): Promise<void>;
  checkQueue(queueUrl: string): Promise<void>;
  /** Clients with credentials read anew. */
  renew(): void;
  close(): void;
};

/** As long as SQS lets one wait. */
const WAIT_SEC = 20;

export async function connectLambda(options: {
  region: string | null;
  functionName: string;
  qualifier: string | null;
}): Promise<LambdaApi> {
  const [lambdaSdk, sqsSdk] = await Promise.all([import("@aws-sdk/client-lambda"), import("@aws-sdk/client-sqs")]);
  const target = { FunctionName: options.functionName, ...(options.qualifier === null ? {} : { Qualifier: options.qualifier }) };
  const open = (): { lambda: LambdaClient; sqs: SQSClient } => ({
    lambda: new lambdaSdk.LambdaClient(clientSettings(options.region)),
    sqs: new sqsSdk.SQSClient(clientSettings(options.region, (WAIT_SEC + 10) * 1_000)),
  });
  let clients = open();
  await checkRegion(clients.lambda, "lambda_executor");
  const entries = (receipts: string[]) => receipts.map((ReceiptHandle, at) => ({ Id: String(at), ReceiptHandle }));
  const close = () => {
    clients.lambda.destroy();
    clients.sqs.destroy();
  };
  return {
    async invoke(payload) {
      const { $metadata } = await clients.lambda.send(
        new lambdaSdk.InvokeCommand({ ...target, InvocationType: "Event", Payload: Buffer.from(payload) }),
      );
      return $metadata.requestId ?? "unknown";
    },
    async tryInvoke() {
      await clients.lambda.send(new lambdaSdk.InvokeCommand({ ...target, InvocationType: "DryRun" }));
    },
    async functionTimeoutSec() {
      return (await clients.lambda.send(new lambdaSdk.GetFunctionConfigurationCommand(target))).Timeout ?? 0;
    },
    async receive(QueueUrl, abortSignal) {
      const { Messages } = await clients.sqs.send(
        new sqsSdk.ReceiveMessageCommand({
          QueueUrl,
          MaxNumberOfMessages: 10,
          WaitTimeSeconds: WAIT_SEC,
          MessageSystemAttributeNames: ["SentTimestamp"],
          MessageAttributeNames: ["ErrorMessage"],
        }),
        { abortSignal },
      );
      return Messages ?? [];
    },
    async remove(QueueUrl, receipts) {
      await clients.sqs.send(new sqsSdk.DeleteMessageBatchCommand({ QueueUrl, Entries: entries(receipts) }));
    },
    async putBack(QueueUrl, receipts) {
      const Entries = entries(receipts).map((entry) => ({ ...entry, VisibilityTimeout: 0 }));
      await clients.sqs.send(new sqsSdk.ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries }));
    },
    async checkQueue(QueueUrl) {
      await clients.sqs.send(new sqsSdk.GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] }));
    },
    renew() {
      close();
      clients = open();
    },
    close,
  };
}
