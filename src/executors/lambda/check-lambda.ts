import { checkFailed } from "../aws/check-failed.ts";
import type { LambdaApi } from "./lambda-api.ts";

/**
 * Checks everything that an invocation needs, without invoking anything. Throws `aws_check_failed` with the fault and the remedy.
 */
export async function checkLambda(
  api: LambdaApi,
  options: { name: string; functionName: string; qualifier: string | null; queueUrl: string; deadLetterQueueUrl: string | null },
): Promise<void> {
  const { name, functionName, qualifier, queueUrl, deadLetterQueueUrl } = options;
  const ask = async (asked: string, action: string, request: () => Promise<unknown>) => {
    try {
      await request();
    } catch (error) {
      throw checkFailed({ executor: name, asked: `[lambda_executor] ${asked}`, action, page: "docs/executors/lambda.md" }, error);
    }
  };
  const target = `function_name "${functionName}"${qualifier === null ? "" : `, qualifier "${qualifier}"`}`;
  await ask(target, "lambda:InvokeFunction", () => api.tryInvoke());
  await ask(`queue_url "${queueUrl}"`, "sqs:GetQueueAttributes", () => api.checkQueue(queueUrl));
  if (deadLetterQueueUrl !== null)
    await ask(`dead_letter_queue_url "${deadLetterQueueUrl}"`, "sqs:GetQueueAttributes", () =>
      api.checkQueue(deadLetterQueueUrl),
    );
}
