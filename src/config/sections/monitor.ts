import type { OptionSpec } from "../option-spec.ts";

export const MONITOR = {
  host: {
    kind: "string",
    default: "127.0.0.1",
    about: "Address that `baram monitor` listens on; beyond this machine's own only with basic_auth.",
  },
  port: { kind: "int", default: 5555, min: 0, max: 65_535, about: "Port of `baram monitor`." },
  basic_auth: {
    kind: "string",
    default: null,
    secret: true,
    about: "Who may see the monitor: user:password, several separated by commas. Unset: whoever reaches the port.",
  },
} as const satisfies Record<string, OptionSpec>;
