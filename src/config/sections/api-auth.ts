import type { OptionSpec } from "../option-spec.ts";

export const API_AUTH = {
  jwt_secret: {
    kind: "string",
    default: null,
    secret: true,
    about: "Secret that signs tokens. Unset: BARAM_HOME/jwt_secret, made on the first start; every process must share it.",
  },
  jwt_expiration_time: {
    kind: "int",
    default: 86_400,
    unit: "s",
    min: 1,
    about: "How long a token from POST /auth/token is good.",
  },
  jwt_cli_expiration_time: {
    kind: "int",
    default: 3_600,
    unit: "s",
    min: 1,
    about: "How long a token from POST /auth/token/cli is good.",
  },
} as const satisfies Record<string, OptionSpec>;
