import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { type JsonObject, jsonTextFault, type SerializedDag } from "../../contracts/index.ts";
import { BaramError, describeSchemaError } from "../../platform/index.ts";

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
    const validate = validatorOf(param.schema);
    if (!validate(value)) {
      const reasons = (validate.errors ?? []).map(describeSchemaError);
      faults.push(`param "${name}" is ${JSON.stringify(value).slice(0, 200)}, but ${reasons.join(" and ")}`);
    }
  }
  if (faults.length > 0) {
    throw new BaramError("conf_invalid", `The conf does not fit the params of DAG "${dag.dagId}": ${faults.join("; ")}.`, {
      dagId: dag.dagId,
      faults,
    });
  }
}

function validatorOf(schema: JsonObject): ValidateFunction {
  let validate = compiled.get(schema);
  if (!validate) {
    const ajv = new Ajv2020({ allErrors: true, strict: false });
    addFormats.default(ajv);
    validate = ajv.compile(schema);
    compiled.set(schema, validate);
  }
  return validate;
}
