// The process of one Lambda environment: loads a handler once and passes it one event after another, with Lambda's context.
import { pathToFileURL } from "node:url";

const [, , modulePath, functionName] = process.argv;
const { handler } = await import(pathToFileURL(modulePath).href);

process.on("message", async ({ event, requestId, deadlineMs }) => {
  const context = {
    awsRequestId: requestId,
    functionName,
    functionVersion: "$LATEST",
    getRemainingTimeInMillis: () => Math.max(0, deadlineMs - Date.now()),
  };
  try {
    process.send({ ok: true, result: (await handler(event, context)) ?? null });
  } catch (error) {
    process.send({ ok: false, error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) });
  }
});
process.on("disconnect", () => process.exit(0));
process.send({ ready: true });
