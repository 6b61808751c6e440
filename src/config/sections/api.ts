import type { OptionSpec } from "../option-spec.ts";

export const API = {
  host: { kind: "string", default: "127.0.0.1", about: "Address the API server listens on." },
  port: { kind: "int", default: 8080, min: 0, max: 65_535, about: "Port the API server listens on; 0 = any free port." },
  base_url: { kind: "string", default: null, about: "URL of the API for workers. Not set: http://host:port." },
  trusted_proxies: {
    kind: "string",
    default: null,
    about:
      "Addresses and networks (10.0.0.0/8) of reverse proxies, separated by commas. Behind them, the limits of failed logins count the client's address from X-Forwarded-For. Not set: the address of the connection counts.",
  },
  fallback_page_limit: { kind: "int", default: 50, min: 1, about: "Default page size of lists." },
  maximum_page_limit: { kind: "int", default: 100, min: 1, about: "Maximum page size of lists." },
  database_timeout: {
    kind: "float",
    default: 20,
    unit: "s",
    min: 0.1,
    max: 3_600,
    about: "Maximum duration of a database statement of the API server; a request that takes longer is answered with 503.",
  },
} as const satisfies Record<string, OptionSpec>;
