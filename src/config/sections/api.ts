import type { OptionSpec } from "../option-spec.ts";

export const API = {
  host: { kind: "string", default: "127.0.0.1", about: "Address the API server listens on." },
  port: { kind: "int", default: 8080, min: 0, max: 65_535, about: "Port the API server listens on; 0 = any free one." },
  base_url: { kind: "string", default: null, about: "URL workers reach the API at. Unset: http://host:port." },
  fallback_page_limit: { kind: "int", default: 50, min: 1, about: "Page size of list answers when the request names none." },
  maximum_page_limit: { kind: "int", default: 100, min: 1, about: "Largest page a list answer has, whatever was asked for." },
  database_timeout: {
    kind: "float",
    default: 20,
    unit: "s",
    min: 0.1,
    max: 3_600,
    about: "Longest that a statement of the API server may take; a request that needs longer is answered 503.",
  },
} as const satisfies Record<string, OptionSpec>;
