import type { OptionSpec } from "../option-spec.ts";

export const TRIGGERER = {
  triggerer_health_check_threshold: {
    kind: "float",
    default: 30,
    unit: "s",
    min: 0.5,
    about: "A triggerer silent for this long is unhealthy.",
  },
  enable_health_check: {
    kind: "bool",
    default: false,
    about: "Whether a triggerer answers /health and /metrics on a port of its own.",
  },
  triggerer_health_check_server_host: { kind: "string", default: "0.0.0.0", about: "Address of that port." },
  triggerer_health_check_server_port: {
    kind: "int",
    default: 8976,
    min: 0,
    max: 65_535,
    about: "That port; 0 = any free one.",
  },
} as const satisfies Record<string, OptionSpec>;
