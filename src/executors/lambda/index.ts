export { type InvocationResult, invocationSchema, LAMBDA_MAX_SEC } from "./invocation.ts";
export { createLambdaExecutor, type LambdaExecutorOptions } from "./lambda-executor.ts";
export { sendResult } from "./send-result.ts";
