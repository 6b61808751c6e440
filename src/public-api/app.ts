import { OpenAPIHono } from "@hono/zod-openapi";
import type { Hono, MiddlewareHandler } from "hono";
import { limitBody } from "../platform/index.ts";
import { answerError } from "./answer-error.ts";
import { type ApiEnv, authenticate } from "./auth/index.ts";
import { tokenRoutes } from "./auth/token-routes.ts";
import type { Api } from "./endpoint.ts";
import { refusal } from "./refuse.ts";
import type { PublicApiOptions, PublicApiResources } from "./resources.ts";
import { backfillRoutes } from "./rest/backfills/routes.ts";
import { connectionRoutes } from "./rest/connections/routes.ts";
import { dagRunRoutes } from "./rest/dag-runs/routes.ts";
import { dagVersionRoutes } from "./rest/dag-versions/routes.ts";
import { dagWarningRoutes } from "./rest/dag-warnings/routes.ts";
import { dagRoutes } from "./rest/dags/routes.ts";
import { eventLogRoutes } from "./rest/event-logs/routes.ts";
import { importErrorRoutes } from "./rest/import-errors/routes.ts";
import { jobRoutes } from "./rest/jobs/routes.ts";
import { monitorRoutes } from "./rest/monitor/routes.ts";
import { poolRoutes } from "./rest/pools/routes.ts";
import { logRoutes } from "./rest/task-instance-logs/routes.ts";
import { clearRoutes } from "./rest/task-instances/clear-routes.ts";
import { markRoutes } from "./rest/task-instances/mark-routes.ts";
import { taskInstanceRoutes } from "./rest/task-instances/routes.ts";
import { taskRoutes } from "./rest/tasks/routes.ts";
import { variableRoutes } from "./rest/variables/routes.ts";
import { createVersionFactsCache } from "./rest/version-facts.ts";
import { workerRoutes } from "./rest/workers/routes.ts";
import { xcomRoutes } from "./rest/xcom-entries/routes.ts";

const BODY_MAX_BYTES = 1024 * 1024;

const RESOURCES = [
  monitorRoutes,
  dagRoutes,
  taskRoutes,
  dagVersionRoutes,
  dagWarningRoutes,
  dagRunRoutes,
  backfillRoutes,
  clearRoutes,
  // Before the task instances' routes: "logs" in the path would otherwise be read as a map index.
  logRoutes,
  xcomRoutes,
  taskInstanceRoutes,
  markRoutes,
  importErrorRoutes,
  poolRoutes,
  variableRoutes,
  connectionRoutes,
  eventLogRoutes,
  jobRoutes,
  workerRoutes,
];

/**
 * The API for people and their tools: all paths below /api/v2 and /auth, and /openapi.json. It is stateless; you can run several.
 * Requests to other paths are left to other apps, so it can be mounted at the root beside them.
 */
export function createPublicApi(resources: PublicApiResources, options: PublicApiOptions): Hono<ApiEnv> {
  const app = new OpenAPIHono<ApiEnv>();
  app.onError((error, c) => answerError(error, c, resources.logger));
  for (const path of ["/api/v2/*", "/auth/*", "/openapi.json"]) app.use(path, securityHeaders, limitOwnBody);
  app.use("/api/v2/*", authenticate(resources.tokens, resources.users));

  const api: Api = { app, resources, options, facts: createVersionFactsCache() };
  tokenRoutes(api);
  for (const addRoutes of RESOURCES) addRoutes(api);
  addDocument(app, options.version);

  for (const path of ["/api/v2/*", "/auth/*"]) {
    app.all(path, (c) => {
      throw refusal(
        "route_not_found",
        `There is no ${c.req.method} ${c.req.path.slice(0, 200)}. /openapi.json lists what there is.`,
      );
    });
  }
  return app;
}

function addDocument(app: OpenAPIHono<ApiEnv>, version: string): void {
  app.openAPIRegistry.registerComponent("securitySchemes", "HTTPBearer", { type: "http", scheme: "bearer", bearerFormat: "JWT" });
  let document: object | null = null;
  app.get("/openapi.json", (c) => {
    document ??= app.getOpenAPI31Document({
      openapi: "3.1.0",
      info: { title: "Baram API", version, description: "A subset of Apache Airflow's /api/v2, and compatible with it." },
    });
    return c.json(document);
  });
}

const securityHeaders: MiddlewareHandler = async (c, next) => {
  await next();
  c.header("X-Content-Type-Options", "nosniff");
  c.header("X-Frame-Options", "DENY");
  c.header("Referrer-Policy", "no-referrer");
  c.header("Cache-Control", "no-store");
};

const limitOwnBody = limitBody(BODY_MAX_BYTES, () => {
  throw refusal("body_too_large", `The request's body is larger than ${BODY_MAX_BYTES} bytes.`);
});
