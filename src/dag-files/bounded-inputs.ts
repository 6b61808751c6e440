// Reads each input for the bundler. By itself, the bundler would wait for ever for a named pipe, would read files of any size, and would
// read the source maps that inputs name, wherever they are: a file with the map of another one would show where it is and what is in
// it.
//
// What the bundler still reads by itself are folders and the package.json files in them. It runs in a process that may end
// (bundler.ts), with a time limit.

import { dirname } from "node:path";
import type { Message, Plugin } from "esbuild";
import { describeUnreadable, kindOfUnread, readRegularFile } from "./file-reads.ts";

/** The inputs of one DAG file together: its own modules and the packages that are bundled with it. */
const INPUTS_MAX_BYTES = 64 * 1024 * 1024;

type Fault = "too_large" | "unreadable";

/** For one build of one DAG file. */
export function boundedInputs(): Plugin {
  return {
    name: "bounded-inputs",
    setup(build) {
      let total = 0;
      build.onLoad({ filter: /.*/, namespace: "file" }, async ({ path }) => {
        try {
          const contents = await readRegularFile(path);
          total += contents.length;
          if (total <= INPUTS_MAX_BYTES)
            // "default": by the file's extension, as if the bundler had read it.
            return { contents: withoutSourceMap(contents, path), loader: "default", resolveDir: dirname(path) };
          const text = `${path} has ${contents.length} bytes, and with it the file and what it imports have ${total}, more than the ${INPUTS_MAX_BYTES} allowed: read data at run time, or name large packages under "baram": {"external": []} in the DAG folder's package.json`;
          return fail("too_large", text);
        } catch (error) {
          return fail(kindOfUnread(error), describeUnreadable(path, error));
        }
      });
    },
  };
}

/** The fault that `boundedInputs` found; null = another error. */
export function faultOf({ detail }: Message): Fault | null {
  return detail === "too_large" || detail === "unreadable" ? detail : null;
}

function fail(detail: Fault, text: string) {
  return { errors: [{ text, detail }] };
}

/**
 * The bundler follows the last comment that names a source map, so an empty map is added behind the others. The text before it stays as
 * it is: what looks like such a comment may be part of a string.
 */
function withoutSourceMap(contents: Buffer, path: string): Buffer {
  if (!contents.includes("sourceMappingURL=")) return contents;
  const empty = "sourceMappingURL=data:application/json,{}";
  if (/\.css$/i.test(path)) return Buffer.concat([contents, Buffer.from(`\n/*# ${empty} */\n`)]);
  return /\.(?:[cm]?[jt]s|[jt]sx)$/i.test(path) ? Buffer.concat([contents, Buffer.from(`\n//# ${empty}\n`)]) : contents;
}
