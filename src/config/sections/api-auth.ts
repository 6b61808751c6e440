import type { OptionSpec } from "../option-spec.ts";

export const API_AUTH = {
  jwt_secret: {
    kind: "string",
    default: null,
    secret: true,
    about: "Secret that signs tokens. All processes must share it. Not set: BARAM_HOME/jwt_secret, generated at the first start.",
  },
  jwt_expiration_time: {
    kind: "int",
    default: 86_400,
    unit: "s",
    min: 1,
    about: "Lifetime of a token from POST /auth/token.",
  },
  jwt_cli_expiration_time: {
    kind: "int",
    default: 3_600,
    unit: "s",
    min: 1,
    about: "Lifetime of a token from POST /auth/token/cli.",
  },
} as const satisfies Record<string, OptionSpec>;
