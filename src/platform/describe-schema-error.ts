/** Has the fields of ajv's ErrorObject. */
type SchemaError = { instancePath: string; keyword: string; message?: string; params: Record<string, unknown> };

const ALLOWED_MAX = 20;

/** Describes a violation of a JSON schema, naming the allowed values. */
export function describeSchemaError({ instancePath, keyword, message, params }: SchemaError): string {
  const place = instancePath === "" ? "" : `${instancePath} `;
  if (keyword === "enum" && Array.isArray(params.allowedValues)) {
    const allowed = params.allowedValues.map((value) => JSON.stringify(value));
    const more = allowed.length > ALLOWED_MAX ? ", …" : "";
    return `${place}must be one of ${allowed.slice(0, ALLOWED_MAX).join(", ")}${more}`;
  }
  if (keyword === "const") return `${place}must be ${JSON.stringify(params.allowedValue)}`;
  if (keyword === "additionalProperties")
    return `${place}must not have the property ${JSON.stringify(params.additionalProperty)}`;
  return `${place}${message ?? keyword}`;
}
