import type { OptionSpec } from "../option-spec.ts";

/** How an executor in AWS finds its keys and its region. */
export const AWS_ACCESS = {
  conn_id: {
    kind: "string",
    default: null,
    about:
      "Connection of type aws with keys, region and endpoint. Unset: what the AWS SDK finds (environment, role of the machine).",
  },
  region_name: { kind: "string", default: null, about: "AWS region. Unset: the connection's, AWS_REGION, or the profile's." },
} as const satisfies Record<string, OptionSpec>;
