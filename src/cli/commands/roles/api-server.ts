import { loadConfig } from "../../../config/index.ts";
import { runApiServer } from "../../../main/api-server.ts";

export function apiServer({ host, port }: { host?: string; port?: number }): Promise<void> {
  const config = loadConfig();
  return runApiServer({ ...config, api: { ...config.api, host: host ?? config.api.host, port: port ?? config.api.port } });
}
