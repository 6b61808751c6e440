import type { JsonValue } from "../../contracts/index.ts";
import { findFile } from "../../platform/index.ts";
import { BaseSensor, FileTrigger, type PokeResult, type TaskContext } from "../../sdk/index.ts";

export type FileSensorOptions = {
  /** A file or folder, or a glob (`*`, `?`, `**`). A folder matches once it contains a file. Templated. */
  path: string;
  /** Also search the subfolders of a folder. Default false. */
  recursive?: boolean;
};

/** Waits for a file in the worker's own file system, or the triggerer's in mode "deferrable". Returns the path that was found. */
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
      ctx.logger.info(`${path} does not exist yet`);
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
