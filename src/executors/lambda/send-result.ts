import { sleep } from "../../platform/index.ts";
import { clientSettings } from "../aws/client-settings.ts";
import { faultOf } from "../aws/fault-of.ts";
import type { InvocationResult } from "./invocation.ts";

const ATTEMPTS = 5;

/** Called inside a function. Throws if SQS refuses or does not answer: Lambda then delivers the event again. */
export async function sendResult(queueUrl: string, result: InvocationResult): Promise<void> {
  const { SendMessageCommand, SQSClient } = await import("@aws-sdk/client-sqs");
  const client = new SQSClient(await clientSettings({ region: null, connect: null }, 5_000));
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        await client.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: JSON.stringify(result) }));
        return;
      } catch (error) {
        if (attempt === ATTEMPTS || faultOf(error).kind === "answered") throw error;
        await sleep(100 * 2 ** attempt * (0.5 + Math.random() / 2));
      }
    }
  } finally {
    client.destroy();
  }
}
