import { arch, platform, release } from "node:os";
import { type Config, loadConfig } from "../../config/index.ts";
import { findPackageRoot } from "../../platform/index.ts";
import { formatRecord } from "../output/index.ts";
import type { Terminal } from "../terminal.ts";
import type { OutputOptions } from "./flags.ts";

export async function showInfo(terminal: Terminal, version: string, { output }: OutputOptions): Promise<void> {
  const config = loadConfig();
  const info = {
    version,
    node_version: process.versions.node,
    platform: `${platform()} ${release()} ${arch()}`,
    installed_in: findPackageRoot(),
    baram_home: config.home,
    dags_folder: config.core.dags_folder,
    log_folder: config.logging.base_log_folder,
    executor: config.core.executor,
    database: databaseOf(config),
  };
  terminal.print(formatRecord(info, output));
}

/** The database's URL without login and password. */
function databaseOf(config: Config): string {
  if (config.database.url === null) return "embedded PostgreSQL";
  if (!URL.canParse(config.database.url)) return "[database] url";
  const { protocol, host, pathname } = new URL(config.database.url);
  return `${protocol}//${host}${pathname}`;
}
