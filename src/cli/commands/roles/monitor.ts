import { loadConfig } from "../../../config/index.ts";
import { runMonitor } from "../../../main/monitor.ts";

export function monitor({ host, port }: { host?: string; port?: number }): Promise<void> {
  const config = loadConfig();
  return runMonitor({
    ...config,
    monitor: { ...config.monitor, host: host ?? config.monitor.host, port: port ?? config.monitor.port },
  });
}
