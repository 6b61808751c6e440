import { z } from "zod";
import { IMPORT_ERROR_KINDS } from "../contract.ts";

/** Parent → child: bundle this file. `path` is relative to `root`. */
export type BundleRequest = { path: string; root: string; importFolders: readonly string[] };

const errorSchema = z.object({
  kind: z.enum(IMPORT_ERROR_KINDS),
  message: z.string(),
  file: z.string(),
  line: z.int().nullable(),
  column: z.int().nullable(),
  detail: z.string().nullable(),
});

/** Child → parent. `refused`: the file has an import error. `failed`: Baram or the bundler is at fault. */
export const bundleMessageSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready") }),
  z.object({
    type: z.literal("bundled"),
    bundle: z.object({
      code: z.string(),
      hash: z.string(),
      externals: z.array(z.string()),
      inputs: z.array(z.string()),
    }),
  }),
  z.object({ type: z.literal("refused"), error: errorSchema }),
  z.object({ type: z.literal("failed"), message: z.string() }),
]);
export type BundleMessage = z.infer<typeof bundleMessageSchema>;
