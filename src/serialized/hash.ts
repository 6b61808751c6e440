import { createHash } from "node:crypto";
import type { SerializedDag } from "../contracts/index.ts";
import { canonicalJson } from "./canonical-json.ts";

/** SHA-256, hex, of the DAG's canonical JSON. Together with the module's hash it identifies a DAG version. */
export function hashDag(dag: SerializedDag): string {
  return createHash("sha256").update(canonicalJson(dag)).digest("hex");
}
