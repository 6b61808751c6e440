import { z } from "@hono/zod-openapi";
import { DESCRIPTION_MAX, isReachable, type JsonValue, REACHABLE_RULE, VARIABLE_KEY_MAX } from "../../../contracts/index.ts";
import { HIDDEN, hideInText, restoreHidden } from "../../../platform/index.ts";
import {
  addVariable,
  deleteVariable,
  findVariable,
  listVariables,
  replaceVariable,
  VARIABLE_ORDER_KEYS,
  type Variable,
} from "../../../store/index.ts";
import { type Api, endpoint, noContent } from "../../endpoint.ts";
import { refusal } from "../../refuse.ts";
import { absent, count, jsonValue, text } from "../fields.ts";
import { masked, orderField, pageFields, readPageQuery, updateMask } from "../paging.ts";

const tag = "Variables";
const keyField = z.string().min(1).max(VARIABLE_KEY_MAX).refine(isReachable, REACHABLE_RULE);
const variablePath = z.object({ variable_key: keyField });

/** The value of a key with a sensitive name (`…_password`, `api_key` …) is never shown, nor what has one inside of the value. */
const variableShape = z
  .object({
    key: z.string(),
    value: z.string(),
    description: z.string().nullable(),
    is_encrypted: z.boolean(),
    team_name: z.string().nullable(),
  })
  .openapi("VariableResponse");
const variableBody = z
  .strictObject({
    key: keyField,
    value: jsonValue,
    team_name: absent,
    description: z.string().max(DESCRIPTION_MAX).nullable().optional(),
  })
  .openapi("VariableBody");

export function variableRoutes(api: Api): void {
  const { store, cipher } = api.resources;
  const rule = api.options.isSensitiveName;
  const toVariable = ({ key, value, description }: Variable): z.infer<typeof variableShape> => ({
    key,
    value: rule(key) ? HIDDEN : hideInText(value, rule),
    description,
    is_encrypted: true,
    team_name: null,
  });
  const mustFind = async (key: string) => {
    const variable = await findVariable(store, cipher, key);
    if (!variable) throw refusal("variable_not_found", `There is no variable "${key}".`);
    return variable;
  };

  endpoint(
    api,
    "get /api/v2/variables",
    {
      tag,
      summary: "Variables",
      access: "op",
      query: z.object({
        ...pageFields,
        ...orderField,
        variable_key_pattern: text.optional(),
        variable_key_prefix_pattern: text.optional(),
      }),
      answer: z.object({ variables: z.array(variableShape), total_entries: count }).openapi("VariableCollectionResponse"),
    },
    async ({ query, options }) => {
      const page = readPageQuery(query, options, VARIABLE_ORDER_KEYS);
      const filter = { pattern: query.variable_key_pattern, prefix: query.variable_key_prefix_pattern };
      const { rows, total } = await listVariables(store, cipher, filter, page);
      return { variables: rows.map(toVariable), total_entries: total };
    },
  );

  endpoint(
    api,
    "get /api/v2/variables/{variable_key}",
    { tag, summary: "One variable", access: "op", params: variablePath, answer: variableShape },
    async ({ params }) => toVariable(await mustFind(params.variable_key)),
  );

  endpoint(
    api,
    "post /api/v2/variables",
    {
      tag,
      summary: "Creates a variable",
      access: "op",
      audit: "post_variable",
      body: variableBody,
      answer: variableShape,
      status: 201,
    },
    async ({ body, audit }) => {
      audit.extra = { variable_key: body.key };
      const variable = { key: body.key, value: asText(body.value), description: body.description ?? null };
      if (!(await addVariable(store, cipher, variable)))
        throw refusal("variable_exists", `There is a variable "${body.key}" already. Change it with PATCH.`);
      return toVariable(variable);
    },
  );

  endpoint(
    api,
    "patch /api/v2/variables/{variable_key}",
    {
      tag,
      summary: "Updates a variable",
      access: "op",
      audit: "patch_variable",
      params: variablePath,
      query: z.object(updateMask),
      body: variableBody,
      answer: variableShape,
    },
    async ({ params, query, body }) => {
      const key = params.variable_key;
      if (body.key !== key)
        throw refusal("not_supported", `The body's key "${body.key}" is not the path's "${key}"; a variable is not renamed.`);
      const change = masked(body, query.update_mask, ["key", "value", "description"]);
      const old = await mustFind(key);
      // A client that sends back what it was shown must not overwrite the secrets in it with ***.
      const value =
        change.value === undefined ? old.value : (restoreHidden(asText(change.value), old.value, rule(key), rule) as string);
      const description = change.description === undefined ? old.description : change.description;
      const variable = { key, value, description };
      if (!(await replaceVariable(store, cipher, variable)))
        throw refusal("variable_not_found", `There is no variable "${key}".`);
      return toVariable(variable);
    },
  );

  endpoint(
    api,
    "delete /api/v2/variables/{variable_key}",
    { tag, summary: "Deletes a variable", access: "op", audit: "delete_variable", params: variablePath, answer: z.null() },
    async ({ params, c }) => {
      if (!(await deleteVariable(store, params.variable_key)))
        throw refusal("variable_not_found", `There is no variable "${params.variable_key}".`);
      return noContent(c);
    },
  );
}

/** A variable is a text. Other values are stored as JSON, as in Airflow. */
function asText(value: JsonValue): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
