import { materializeModule, sleep, toError } from "../../platform/index.ts";
import { type ApiClient, ApiRefusal, isTransient } from "./api-client.ts";

/** The worker's cache of modules, by hash. A hash names its content, so what is there once is good for ever. */
export type ModuleStore = {
  /** Path of the module's file; fetches it with the token if it is not here yet. */
  pathOf(hash: string, token: string): Promise<string>;
};

export function createModuleStore(
  client: ApiClient,
  options: { cacheFolder: string; resolveFrom: readonly string[]; retryWindowMs: number },
): ModuleStore {
  const paths = new Map<string, Promise<string>>();

  async function fetchModule(hash: string, token: string): Promise<string> {
    const deadline = Date.now() + options.retryWindowMs;
    for (let attempt = 0; ; attempt++) {
      try {
        const { code, externals } = await client.getModule(hash, token);
        return await materializeModule({ hash, code, externals }, options.cacheFolder, [...options.resolveFrom]);
      } catch (error) {
        const away = isTransient(error) && !("facts" in toError(error) && !(error instanceof ApiRefusal));
        if (!away || Date.now() > deadline) throw error;
        await sleep(Math.min(5_000, 100 * 2 ** Math.min(attempt, 10)));
      }
    }
  }
  return {
    pathOf(hash, token) {
      let path = paths.get(hash);
      if (!path) {
        path = fetchModule(hash, token);
        // A failure is not remembered: the next try may fetch again.
        path.catch(() => paths.delete(hash));
        paths.set(hash, path);
      }
      return path;
    },
  };
}
