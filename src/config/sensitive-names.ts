import type { Config } from "./load.ts";

/** `[core] sensitive_var_conn_names`: parts of names that are sensitive in addition to Baram's own list. */
export function sensitiveNames({ core }: Pick<Config, "core">): string[] {
  const names = (core.sensitive_var_conn_names ?? "").split(",").map((name) => name.trim());
  return names.filter((name) => name !== "");
}
