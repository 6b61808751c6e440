import type { Message } from "@aws-sdk/client-sqs";
import { type AwsAccess, checkRegion, clientSettings } from "../aws/client-settings.ts";
import { createRenewableClient } from "../aws/renewable-client.ts";

/** The executor's requests; each throws the SDK's error. */
export type LambdaApi = {
  /** Asynchronous: resolves with the request's id when Lambda has accepted the event. */
  invoke(payload: string): Promise<string>;
  /** Whether the function exists and may be invoked; invokes nothing. */
  tryInvoke(): Promise<void>;
  functionTimeoutSec(): Promise<number>;
  /** Waits for messages, up to 20 s. */
  receive(queueUrl: string, signal: AbortSignal): Promise<Message[]>;
  remove(queueUrl: string, receipts: string[]): Promise<void>;
  checkQueue(queueUrl: string): Promise<void>;
  /** Clients with newly read credentials. */
  renew(): Promise<void>;
  close(): void;
};

/** The longest wait that SQS allows. */
const WAIT_SEC = 20;

export async function connectLambda(options: AwsAccess & { functionName: string; qualifier: string | null }): Promise<LambdaApi> {
  const [lambdaSdk, sqsSdk] = await Promise.all([import("@aws-sdk/client-lambda"), import("@aws-sdk/client-sqs")]);
  const target = { FunctionName: options.functionName, ...(options.qualifier === null ? {} : { Qualifier: options.qualifier }) };
  const { use, renew, close } = await createRenewableClient(async () => {
    const settings = await clientSettings(options);
    const lambda = new lambdaSdk.LambdaClient(settings);
    const requestHandler = { ...settings.requestHandler, requestTimeout: (WAIT_SEC + 10) * 1_000 };
    const sqs = new sqsSdk.SQSClient({ ...settings, requestHandler });
    const destroy = () => {
      lambda.destroy();
      sqs.destroy();
    };
    return { lambda, sqs, destroy };
  });
  await use(({ lambda }) => checkRegion(lambda, "lambda_executor"));
  return {
    async invoke(payload) {
      const command = new lambdaSdk.InvokeCommand({ ...target, InvocationType: "Event", Payload: Buffer.from(payload) });
      const { $metadata } = await use(({ lambda }) => lambda.send(command));
      return $metadata.requestId ?? "unknown";
    },
    async tryInvoke() {
      await use(({ lambda }) => lambda.send(new lambdaSdk.InvokeCommand({ ...target, InvocationType: "DryRun" })));
    },
    async functionTimeoutSec() {
      const command = new lambdaSdk.GetFunctionConfigurationCommand(target);
      return (await use(({ lambda }) => lambda.send(command))).Timeout ?? 0;
    },
    async receive(QueueUrl, abortSignal) {
      const command = new sqsSdk.ReceiveMessageCommand({
        QueueUrl,
        MaxNumberOfMessages: 10,
        WaitTimeSeconds: WAIT_SEC,
        MessageAttributeNames: ["ErrorMessage"],
      });
      return (await use(({ sqs }) => sqs.send(command, { abortSignal }))).Messages ?? [];
    },
    async remove(QueueUrl, receipts) {
      const Entries = receipts.map((ReceiptHandle, at) => ({ Id: String(at), ReceiptHandle }));
      const command = new sqsSdk.DeleteMessageBatchCommand({ QueueUrl, Entries });
      await use(({ sqs }) => sqs.send(command));
    },
    async checkQueue(QueueUrl) {
      const command = new sqsSdk.GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] });
      await use(({ sqs }) => sqs.send(command));
    },
    renew,
    close,
  };
}
