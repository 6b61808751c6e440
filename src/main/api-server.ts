import type { Config } from "../config/index.ts";
import { ensureFirstUser } from "./admin.ts";
import { startApiServerPart } from "./parts/api-server-part.ts";
import { runRole } from "./role.ts";

/** `baram api-server`: the public API and the execution API. */
export function runApiServer(config: Config): Promise<void> {
  return runRole(config, "api-server", async (store, logger, metrics) => {
    const admin = await ensureFirstUser(config, store);
    if (admin.isNew) logger.info({ passwordFile: admin.passwordFile }, "made the user admin; its password is in the file");
    const part = await startApiServerPart(config, store, logger, metrics);
    logger.info({ url: part.url }, "listening");
    return part;
  });
}
