import { sleep } from "../../platform/index.ts";
import { clientSettings } from "../aws/client-settings.ts";
import { faultOf } from "../aws/fault-of.ts";
import type { InvocationResult } from "./invocation.ts";

const ATTEMPTS = 5;
const REASON_MAX_CHARS = 2_000;

/** SQS refuses a message with U+FFFE or U+FFFF; JSON escapes all other characters that it refuses. */
function bodyOf({ reason, ...result }: InvocationResult): string {
  const body = JSON.stringify({ ...result, ...(reason === undefined ? {} : { reason: reason.slice(0, REASON_MAX_CHARS) }) });
  return body.replaceAll(/[\uFFFE\uFFFF]/g, "\uFFFD");
}

/** Called inside a function. Throws if SQS refuses or does not answer: Lambda then delivers the event again. */
export async function sendResult(queueUrl: string, result: InvocationResult): Promise<void> {
  const { SendMessageCommand, SQSClient } = await import("@aws-sdk/client-sqs");
  const client = new SQSClient(await clientSettings({ region: null, connect: null }, { requestTimeoutMs: 5_000 }));
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        await client.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: bodyOf(result) }));
        return;
      } catch (error) {
        const { kind } = faultOf(error);
        if (attempt === ATTEMPTS || kind === "answered" || kind === "too_large") throw error;
        await sleep(100 * 2 ** attempt * (0.5 + Math.random() / 2));
      }
    }
  } finally {
    client.destroy();
  }
}
