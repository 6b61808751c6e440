import { type BatchItem, batchItemHeadSchema, batchItemSchema } from "../contracts/index.ts";
import { unstorable } from "./limit-outcome.ts";
import { Refusal } from "./refusal.ts";

/** `replaced`: why the try fails, instead of ending as it was reported. */
export type ReadFinish = Extract<BatchItem, { op: "finish" }> & { replaced?: string };
/** An item of a batch, or what is answered to one that cannot be read. */
export type ReadItem = Extract<BatchItem, { op: "run" }> | ReadFinish | { op: "refused"; id: string; refusal: Refusal };

/**
 * Reads the items of a batch, each apart. An end that does not fit its schema (a timeout out of bounds) becomes a failure that says so:
 * the try is over, and sending the same again would not help. Throws 422 for an item that names no try, which nobody can be told of.
 */
export function readBatch(items: readonly unknown[]): ReadItem[] {
  return items.map((item, at): ReadItem => {
    const fault = faultOf(item);
    if (typeof fault === "object") return fault;
    const head = batchItemHeadSchema.safeParse(item);
    if (!head.success) throw new Refusal(422, "body_invalid", `items.${at}: ${fault}`);
    const { op, id, token } = head.data;
    if (op === "run") return { op: "refused", id, refusal: new Refusal(422, "body_invalid", fault, { id }) };
    const replaced = `What the try reported cannot be taken: ${fault}`;
    return { op, id, token, outcome: unstorable("OutcomeRefusedError", replaced), replaced };
  });
}

function faultOf(item: unknown): BatchItem | string {
  try {
    const read = batchItemSchema.safeParse(item);
    if (read.success) return read.data;
    const [issue] = read.error.issues;
    return `${issue?.path.join(".") ?? ""}: ${issue?.message ?? "is wrong"}`.slice(0, 1_000);
  } catch (error) {
    // Nested deeper than the stack of whoever reads it.
    if (error instanceof RangeError) return "it is nested too deep";
    throw error;
  }
}
