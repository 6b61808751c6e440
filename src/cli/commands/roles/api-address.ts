import { type Config, loadConfig } from "../../../config/index.ts";

export type ApiAddress = { host?: string; port?: number };

/** The flags override [api] host and port. */
export function configWithApiAddress({ host, port }: ApiAddress): Config {
  const config = loadConfig();
  return { ...config, api: { ...config.api, host: host ?? config.api.host, port: port ?? config.api.port } };
}
