import type { Message } from "@aws-sdk/client-sqs";
import { z } from "zod";
import { type Workload, workloadId, workloadSchema } from "../../contracts/index.ts";

/** Lambda's limit for an asynchronous invocation, in bytes. */
export const PAYLOAD_MAX_BYTES = 256 * 1024;
/** The longest time that a function may run. */
export const LAMBDA_MAX_SEC = 900;

/** The handler's event. It contains everything that the handler needs, so that a function needs no settings. */
export const invocationSchema = z.object({
  /** The try's id, or the callback's. */
  task_key: z.string(),
  workload: workloadSchema,
  /** The URL of Baram's API. */
  api_url: z.url(),
  /** The queue for the result. */
  queue_url: z.url(),
  /** The task's own, for a handler that wraps Baram's. */
  executor_config: z.record(z.string(), z.unknown()),
});
export type Invocation = z.infer<typeof invocationSchema>;

/**
 * The message that a function sends when it is done with a workload. The outcome itself was sent to the API; 0 = the API has stored
 * or refused it.
 */
export const resultSchema = z.object({ task_key: z.uuid(), return_code: z.int(), reason: z.string().optional() });
export type InvocationResult = z.infer<typeof resultSchema>;

/** A string: why it cannot be invoked. */
export function composePayload(workload: Workload, options: { apiUrl: string; queueUrl: string }): { payload: string } | string {
  const own = workload.type === "ExecuteTask" ? workload.ti.executorConfig : {};
  const invocation: Invocation = {
    task_key: workloadId(workload),
    workload: workload.type === "ExecuteTask" ? { ...workload, ti: { ...workload.ti, executorConfig: {} } } : workload,
    api_url: options.apiUrl,
    queue_url: options.queueUrl,
    executor_config: own,
  };
  const payload = JSON.stringify(invocation);
  const sizeBytes = Buffer.byteLength(payload);
  if (sizeBytes > PAYLOAD_MAX_BYTES)
    return `its payload is ${sizeBytes} bytes, and Lambda takes ${PAYLOAD_MAX_BYTES}: shorten executorConfig`;
  return { payload };
}

/** The result that a message contains; null: it is not a function's message, or it is malformed. */
export function readResult(message: Message): InvocationResult | null {
  const parsed = resultSchema.safeParse(parseJson(message.Body));
  return parsed.success ? parsed.data : null;
}

const deadEventSchema = z.object({ task_key: z.uuid() });
/** A failure destination wraps the event; a dead-letter queue contains it unchanged. */
const destinationSchema = z.object({
  requestPayload: deadEventSchema,
  requestContext: z.object({ condition: z.string() }).optional(),
  responsePayload: z.object({ errorMessage: z.string() }).optional(),
});

/** Lambda's message about an event that it gave up, from a dead-letter queue or a failure destination. */
export function readDeadEvent(message: Message): InvocationResult | null {
  const body = parseJson(message.Body);
  const wrapped = destinationSchema.safeParse(body);
  if (wrapped.success) {
    const { requestPayload, requestContext, responsePayload } = wrapped.data;
    return dead(requestPayload.task_key, responsePayload?.errorMessage ?? requestContext?.condition);
  }
  const plain = deadEventSchema.safeParse(body);
  return plain.success ? dead(plain.data.task_key, message.MessageAttributes?.ErrorMessage?.StringValue) : null;
}

function dead(taskKey: string, said: string | undefined): InvocationResult {
  return { task_key: taskKey, return_code: 1, reason: `Lambda gave the invocation up: ${said ?? "it said no more"}` };
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return null;
  }
}
