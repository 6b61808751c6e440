import { Hono } from "hono";
import { limitBody } from "../platform/index.ts";
import { answerError } from "./answer-error.ts";
import type { ExecutionApiOptions, ExecutionApiResources } from "./resources.ts";
import { addBaramCalls } from "./routes/baram-calls.ts";
import { addDagRunRoutes } from "./routes/dag-runs.ts";
import { addDagRoutes } from "./routes/dags.ts";
import { addHealthRoutes } from "./routes/health.ts";
import { routesOf } from "./routes/route.ts";
import { addSecretRoutes } from "./routes/secrets.ts";
import { addTaskInstanceRoutes } from "./routes/task-instances.ts";
import { addTaskStateRoutes } from "./routes/task-states.ts";
import { addWorkerCalls } from "./routes/workers.ts";
import { addXcomRoutes } from "./routes/xcoms.ts";

/** A batch may contain many outcomes, each with its XComs. */
const BODY_MAX_BYTES = 256 * 1024 * 1024;

/**
 * The server half of the workers' protocol: all calls of a supervisor, below /execution. Stateless; any number of servers may run.
 * Two dialects over the same commands: Airflow's Task Execution API in its own paths and shapes, for task SDKs of other languages,
 * and Baram's batch calls below /baram. Not there: assets, human-in-the-loop, state stores.
 */
export function createExecutionApi(resources: ExecutionApiResources, options: ExecutionApiOptions): Hono {
  const app = new Hono();
  app.use(
    limitBody(BODY_MAX_BYTES, (c) => c.json({ detail: { reason: "body_too_large", message: "The request is too large." } }, 413)),
  );
  app.onError((error, c) => answerError(error, c, resources));
  const deps = { resources, options };
  addHealthRoutes(app, deps);
  addBaramCalls(app, deps);
  addWorkerCalls(app, deps);
  const add = routesOf(app, deps);
  // Registered before the routes of one task instance or run, whose paths would also match these.
  addTaskStateRoutes(add);
  addTaskInstanceRoutes(add);
  addDagRunRoutes(add);
  addDagRoutes(add);
  addSecretRoutes(add);
  addXcomRoutes(add);
  return app;
}
