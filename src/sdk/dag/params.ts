import type { JsonObject, JsonValue, SerializedParam } from "../../contracts/index.ts";
import { createSchemaValidator, describeSchemaError, UnsupportedPatternError } from "../../platform/index.ts";
import { DagDefinitionError } from "../definition-error.ts";
import { checkOptionNames } from "../options/check-option-names.ts";
import { findJsonFault } from "../values/json-fault.ts";

export type ParamOptions = {
  /** JSON schema of the value, draft 2020-12, e.g. `{ type: "integer", minimum: 1 }`. */
  schema?: JsonObject;
  description?: string;
};

/** Keywords of JSON schema that Airflow's `Param` accepts as arguments beside the default. */
const SCHEMA_WORDS = [
  ...["type", "enum", "const", "format", "pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
  ...["minLength", "maxLength", "items", "minItems", "maxItems", "uniqueItems", "properties", "required", "title", "examples"],
];

/** The return value of `param()`. */
export class Param<V extends JsonValue = JsonValue> {
  readonly value: V | undefined;
  readonly options: ParamOptions;

  constructor(value: V | undefined, options: ParamOptions) {
    this.value = value;
    this.options = options;
  }
}

/** A DAG's params: name → default value, or `param(default, { schema, description })`. */
export type ParamsInput = { readonly [name: string]: JsonValue | Param };

/** The general type of a literal: a run's conf may contain other values. */
type Widened<V> = V extends string ? string : V extends number ? number : V extends boolean ? boolean : V;

/**
 * The type of `ctx.params` for params defined as a constant, `ParamValues<typeof params>`; for use as an argument of
 * `TaskContext`.
 */
export type ParamValues<P extends ParamsInput> = {
  readonly [K in keyof P]: Widened<P[K] extends Param<infer V> ? V : P[K]>;
};

/** A param with a schema or a description. A default of `undefined` makes the param required in each run's conf. */
export function param<V extends JsonValue>(defaultValue: V | undefined, options: ParamOptions = {}): Param<V> {
  const hint = (name: string) => `part of the schema: { schema: { ${name}: … } }`;
  checkOptionNames("param()", options, { names: ["schema", "description"], elsewhere: [{ names: SCHEMA_WORDS, hint }] });
  return new Param<V>(defaultValue, options);
}

/** @throws DagDefinitionError INVALID_PARAM: a default that is not JSON or does not match its schema, or an invalid schema. */
export function resolveParams(dagId: string, input: ParamsInput): Record<string, SerializedParam> {
  const resolved: Record<string, SerializedParam> = {};
  for (const name of Object.keys(input).sort()) {
    const entry = input[name];
    const declared = entry instanceof Param ? entry : new Param(entry, {});
    resolved[name] = resolveParam(`DAG ${dagId}: param ${name}`, declared);
  }
  return resolved;
}

/**
 * As in Airflow: scheduled runs have no conf, so every param needs a default.
 * @throws DagDefinitionError INVALID_PARAM for a required param of a DAG with a schedule.
 */
export function checkScheduledParams(where: string, params: Readonly<Record<string, SerializedParam>>, schedule: string): void {
  const required = Object.keys(params).filter((name) => params[name]?.value === undefined);
  if (required.length === 0) return;
  const named = required.map((name) => `"${name}"`).join(", ");
  throw new DagDefinitionError(
    "INVALID_PARAM",
    `${where} has the schedule ${schedule}, but no default for ${required.length === 1 ? "its param" : "its params"} ${named}: scheduled runs have no conf. Give ${required.length === 1 ? "it a default" : "them defaults"}, or leave the schedule out`,
    { required },
  );
}

function resolveParam(where: string, declared: Param): SerializedParam {
  const { schema = {}, description = null } = declared.options;
  const fault = declared.value === undefined ? undefined : findJsonFault(declared.value);
  if (fault !== undefined) {
    throw new DagDefinitionError("INVALID_PARAM", `${where}: the default at ${fault.path || "its root"} is ${fault.fault}`);
  }
  if (Object.keys(schema).length > 0) checkSchema(where, schema, declared.value);
  const serialized: SerializedParam = { description, schema };
  if (declared.value !== undefined) serialized.value = declared.value;
  return serialized;
}

function checkSchema(where: string, schema: JsonObject, value: JsonValue | undefined): void {
  const ajv = createSchemaValidator({ allErrors: true });
  let validate: ReturnType<typeof ajv.compile>;
  try {
    validate = ajv.compile(schema);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    if (cause instanceof UnsupportedPatternError)
      throw new DagDefinitionError(
        "INVALID_PARAM",
        `${where}: ${reason}. Write the pattern without them, or check the value in a task`,
        { schema },
        cause,
      );
    throw new DagDefinitionError("INVALID_PARAM", `${where}: its schema is not a JSON schema: ${reason}`, { schema }, cause);
  }
  if (value === undefined || validate(value)) return;
  throw new DagDefinitionError(
    "INVALID_PARAM",
    `${where}: the default ${JSON.stringify(value)} does not fit its schema: it ${(validate.errors ?? []).map(describeSchemaError).join(" and ")}`,
    { value, schema },
  );
}
