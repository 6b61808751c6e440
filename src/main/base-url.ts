import type { Config } from "../config/index.ts";

/** [api] base_url without a slash at its end, or null. */
export function baseUrl(config: Config): string | null {
  return config.api.base_url?.replace(/\/+$/, "") ?? null;
}
