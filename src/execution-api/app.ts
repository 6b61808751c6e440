import { Hono } from "hono";
import { answerError } from "./answer-error.ts";
import { createCallLimits } from "./limit-calls.ts";
import { createLiveCallers } from "./live-callers.ts";
import type { ExecutionApiOptions, ExecutionApiResources } from "./resources.ts";
import { addBaramCalls } from "./routes/baram-calls.ts";
import { addDagRunRoutes } from "./routes/dag-runs.ts";
import { addDagRoutes } from "./routes/dags.ts";
import { addHealthRoutes } from "./routes/health.ts";
import { addProbeCalls } from "./routes/probes.ts";
import { routesOf } from "./routes/route.ts";
import { addSecretRoutes } from "./routes/secrets.ts";
import { addTaskInstanceRoutes } from "./routes/task-instances.ts";
import { addTaskStateRoutes } from "./routes/task-states.ts";
import { addWorkerCalls } from "./routes/workers.ts";
import { addXcomRoutes } from "./routes/xcoms.ts";
import { keepOutStrangers } from "./tokens.ts";

/**
 * The server half of the workers' protocol: all calls of a supervisor, below /execution. Stateless; any number of servers may run.
 * Two dialects over the same commands: Airflow's Task Execution API in its own paths and shapes, for task SDKs of other languages,
 * and Baram's batch calls below /baram. A call's bearer token is checked before anything of its body is read. Not there: assets, human-in-the-loop, state stores.
 */
export function createExecutionApi(given: ExecutionApiResources, options: ExecutionApiOptions): Hono {
  const app = new Hono();
  app.onError((error, c) => answerError(error, c, given));
  const resources = { ...given, live: createLiveCallers(given.store, given.clock) };
  const deps = { resources, options };
  // The only routes that strangers reach: those added later are behind the check of the bearer, and so is every path that there is not.
  addHealthRoutes(app, deps);
  app.use(keepOutStrangers(given));
  const limits = createCallLimits(resources, options);
  addBaramCalls(app, deps, limits);
  addWorkerCalls(app, deps, limits);
  addProbeCalls(app, deps, limits);
  const add = routesOf(app, deps, limits);
  // Registered before the routes of one task instance or run, whose paths would also match these.
  addTaskStateRoutes(add);
  addTaskInstanceRoutes(add);
  addDagRunRoutes(add);
  addDagRoutes(add);
  addSecretRoutes(add);
  addXcomRoutes(add);
  return app;
}
