/** Connections and variables. Their keys may hold slashes, which clients do not always encode. */
import { z } from "zod";
import { check, readJson } from "../read-request.ts";
import { notFound } from "../refusal.ts";
import { answerCall } from "../runner-calls.ts";
import { type AddRoute, ANY_TRY } from "./route.ts";
import { connectionShape } from "./shapes.ts";

const variableSchema = z.strictObject({ val: z.string(), description: z.string().nullish() });

export function addSecretRoutes(add: AddRoute): void {
  add("GET", "/connections/:id{.+}", ANY_TRY, async ({ c, ...caller }) => {
    const connId = c.req.param("id") ?? "";
    const connection = await answerCall(caller, "getConnection", { connId });
    if (!connection) throw notFound(`Connection "${connId}"`);
    return c.json(connectionShape(connection));
  });

  add("GET", "/variables/:key{.+}", ANY_TRY, async ({ c, ...caller }) => {
    const key = c.req.param("key") ?? "";
    const variable = await answerCall(caller, "getVariable", { key });
    if (!variable) throw notFound(`Variable "${key}"`);
    return c.json({ key, value: variable.value });
  });

  add("PUT", "/variables/:key{.+}", ANY_TRY, async ({ c, ...caller }) => {
    const { val, description } = check(variableSchema, await readJson(c), "body");
    await answerCall(caller, "setVariable", { key: c.req.param("key"), value: val, description: description ?? null });
    return c.json({ message: "Variable successfully set" }, 201);
  });

  add("DELETE", "/variables/:key{.+}", ANY_TRY, async ({ c, ...caller }) => {
    await answerCall(caller, "deleteVariable", { key: c.req.param("key") });
    return c.body(null, 204);
  });
}
