import type { OptionSpec } from "../option-spec.ts";

/** The options from which an executor in AWS gets its keys and its region. */
export const AWS_ACCESS = {
  conn_id: {
    kind: "string",
    default: null,
    about:
      "Connection of type aws with keys, region and endpoint. Not set: the AWS SDK's default chain (environment, role of the machine).",
  },
  region_name: {
    kind: "string",
    default: null,
    about: "AWS region. Not set: the region of the connection, AWS_REGION, or the profile.",
  },
} as const satisfies Record<string, OptionSpec>;
