import type { JsonValue } from "../../contracts/index.ts";
import { findFile } from "../../platform/index.ts";
import { BaseSensor, FileTrigger, type PokeResult, type TaskContext } from "../../sdk/index.ts";

export type FileSensorOptions = {
  /** A file or folder, or a glob (`*`, `?`, `**`). A folder counts once there is a file in it. Templated. */
  path: string;
  /** Look for files in a folder's folders, too. Default false. */
  recursive?: boolean;
};

/** Waits for a file on the worker's own file system, in mode "deferrable" on the triggerer's; returns the path that was found. */
export class FileSensor extends BaseSensor<FileSensorOptions, string, "path"> {
  static override readonly templateFields: readonly string[] = ["path"];
  static override readonly optionNames: readonly string[] = Object.keys({ recursive: true } satisfies Record<
    Exclude<keyof FileSensorOptions, "path">,
    true
  >);

  async poke(ctx: TaskContext): Promise<PokeResult<string>> {
    const { path, recursive = false } = this.options;
    const found = await findFile(path, recursive);
    if (found === undefined) {
      ctx.logger.info(`${path} is not there yet`);
      return { done: false };
    }
    ctx.logger.info(`found ${found}`);
    return { done: true, value: found };
  }

  override createTrigger(): FileTrigger {
    const { path, recursive = false } = this.options;
    return new FileTrigger({ path, recursive, pollInterval: { seconds: this.timing.pokeIntervalSec } });
  }

  override async executeComplete(ctx: TaskContext, event: JsonValue) {
    const path = typeof event === "object" && event !== null && "path" in event ? String(event.path) : "";
    ctx.logger.info(`found ${path}`);
    return { done: true, value: path };
  }
}
