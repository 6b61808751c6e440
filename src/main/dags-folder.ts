import { existsSync, mkdirSync, statSync } from "node:fs";
import type { Config } from "../config/index.ts";
import { BaramError } from "../platform/index.ts";

/** Whether [core] dags_folder exists. Throws `config_invalid` if it is not a folder. */
export function findDagsFolder({ core }: Config): boolean {
  const path = core.dags_folder;
  if (!existsSync(path)) return false;
  if (statSync(path).isDirectory()) return true;
  throw new BaramError(
    "config_invalid",
    `[core] dags_folder is ${path}, which is a file. Set it to the folder that holds the DAG files.`,
    {
      path,
    },
  );
}

/** For commands that read the folder once. Throws `config_invalid` if it does not exist. */
export function requireDagsFolder(config: Config): void {
  if (findDagsFolder(config)) return;
  throw new BaramError(
    "config_invalid",
    `The DAG folder ${config.core.dags_folder} does not exist. Make it, or set BARAM__CORE__DAGS_FOLDER to the folder that holds the DAG files.`,
    {
      path: config.core.dags_folder,
    },
  );
}

/**
 * Creates the default folder, for a first start. A configured folder that does not exist is a mistake, or will be mounted later, so
 * it is not created. Returns a message about it.
 */
export function prepareDagsFolder(config: Config): string {
  const path = config.core.dags_folder;
  if (findDagsFolder(config)) return path;
  if (config.sources["core.dags_folder"] !== "default") return `${path}  (it does not exist; its DAGs are seen when it does)`;
  // People put their files there. Never writable by others, whose files Baram would run.
  mkdirSync(path, { recursive: true, mode: 0o755 });
  return `${path}  (made, and empty)`;
}
