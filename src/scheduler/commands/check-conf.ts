import type { ValidateFunction } from "ajv/dist/2020.js";
import { type JsonObject, type JsonValue, jsonTextFault, type SerializedDag } from "../../contracts/index.ts";
import { BaramError, createSchemaValidator, describeSchemaError, toError } from "../../platform/index.ts";

const compiled = new WeakMap<object, ValidateFunction>();

/**
 * Checks a run's conf, merged over the params' defaults, against the params' schemas. Throws `conf_invalid` naming every param that
 * does not fit, or text that PostgreSQL cannot store. Keys that are no params are allowed, as in Airflow.
 */
export function checkConf(dag: SerializedDag, conf: JsonObject): void {
  const unstorable = jsonTextFault(JSON.stringify(conf));
  const faults = unstorable === null ? [] : [`it holds ${unstorable}`];
  for (const [name, param] of Object.entries(dag.params)) {
    const given = Object.hasOwn(conf, name);
    const value = given ? conf[name] : param.value;
    if (value === undefined) {
      faults.push(`param "${name}" has no default and needs a value`);
      continue;
    }
    const reason = faultOf(dag.dagId, name, param.schema, value);
    if (reason !== null) faults.push(`param "${name}" is ${JSON.stringify(value).slice(0, 200)}, but ${reason}`);
  }
  if (faults.length > 0) {
    throw new BaramError("conf_invalid", `The conf does not fit the params of DAG "${dag.dagId}": ${faults.join("; ")}.`, {
      dagId: dag.dagId,
      faults,
    });
  }
}

/** The first fault. Throws `dag_invalid` for a schema that cannot be checked against; the DAG's file is refused for it when it is loaded. */
function faultOf(dagId: string, name: string, schema: JsonObject, value: JsonValue): string | null {
  try {
    const validate = validatorOf(schema);
    return validate(value) ? null : (validate.errors ?? []).map(describeSchemaError).join(" and ");
  } catch (error) {
    throw new BaramError(
      "dag_invalid",
      `The schema of param "${name}" of DAG "${dagId}" cannot be used: ${toError(error).message}. Correct it in the DAG's file.`,
      { dagId, name },
      error,
    );
  }
}

function validatorOf(schema: JsonObject): ValidateFunction {
  let validate = compiled.get(schema);
  if (!validate) {
    validate = createSchemaValidator({ allErrors: false }).compile(schema);
    compiled.set(schema, validate);
  }
  return validate;
}
