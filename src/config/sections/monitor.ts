import type { OptionSpec } from "../option-spec.ts";

export const MONITOR = {
  host: {
    kind: "string",
    default: "127.0.0.1",
    about: "Address that `baram monitor` listens on; an address other than localhost requires basic_auth.",
  },
  port: { kind: "int", default: 5555, min: 0, max: 65_535, about: "Port of `baram monitor`." },
  basic_auth: {
    kind: "string",
    default: null,
    secret: true,
    about:
      "Users of the monitor as user:password, separated by commas. Not set: no authentication, and the monitor listens only on localhost.",
  },
} as const satisfies Record<string, OptionSpec>;
