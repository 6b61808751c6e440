import type { Masker } from "../../platform/index.ts";

/**
 * What code of a DAG file writes to stdout or stderr of this process goes to stderr, masked as on the platform; stdout is for the
 * command's data, which the terminal writes. A secret that is written in several pieces is not found. Returns the undoing.
 */
export function maskOutput(masker: Masker): () => void {
  const { stdout, stderr } = process;
  const originals = [stdout.write, stderr.write] as const;
  const write = stderr.write.bind(stderr) as (text: string | Uint8Array, ...rest: unknown[]) => boolean;
  const masked = (chunk: string | Uint8Array, ...rest: unknown[]) =>
    write(masker.mask(typeof chunk === "string" ? chunk : Buffer.from(chunk).toString("utf8")), ...rest);
  stdout.write = masked as typeof stdout.write;
  stderr.write = masked as typeof stderr.write;
  return () => {
    [stdout.write, stderr.write] = originals;
  };
}
