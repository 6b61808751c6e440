import { z } from "zod";
import { type BatchItem, batchItemHeadSchema, batchItemSchema, batchRequestSchema } from "../contracts/index.ts";
import { describeIssue } from "../platform/index.ts";
import { unstorable } from "./limit-outcome.ts";
import { checkDepth } from "./read-request.ts";
import { Refusal } from "./refusal.ts";

/** `replaced`: why the try fails instead of ending as reported. */
export type ReadFinish = Extract<BatchItem, { op: "finish" }> & { replaced?: string };
/** An item of a batch, or the refusal of one that cannot be read. `id` null: that cannot be read either. */
export type ReadItem = Extract<BatchItem, { op: "run" }> | ReadFinish | { op: "refused"; id: string | null; refusal: Refusal };

/**
 * Parses the items of a batch one by one: one that is wrong affects no other. An end that does not match its schema (a timeout out of
 * bounds) becomes a failure with that reason: the try is over, and repeating the report would not help.
 */
export function readBatch(body: unknown): ReadItem[] {
  const batch = batchRequestSchema.safeParse(body);
  if (!batch.success) {
    checkDepth(body);
    throw new Refusal(422, "body_invalid", z.prettifyError(batch.error).slice(0, 1_000));
  }
  return batch.data.items.map((item, at): ReadItem => {
    const fault = faultOf(item);
    if (typeof fault === "object") return fault;
    const head = batchItemHeadSchema.safeParse(item);
    if (!head.success) {
      const id = idOf(item);
      return { op: "refused", id, refusal: new Refusal(422, "body_invalid", `items.${at}: ${fault}`, { id }) };
    }
    const { op, id, token } = head.data;
    if (op === "run") return { op: "refused", id, refusal: new Refusal(422, "body_invalid", fault, { id }) };
    const replaced = `What the try reported cannot be taken: ${fault}`;
    return { op, id, token, outcome: unstorable("OutcomeRefusedError", replaced), replaced };
  });
}

function idOf(item: unknown): string | null {
  return z.object({ id: z.uuid() }).safeParse(item).data?.id ?? null;
}

function faultOf(item: unknown): BatchItem | string {
  try {
    const read = batchItemSchema.safeParse(item);
    if (read.success) return read.data;
    return describeIssue(read.error).slice(0, 1_000);
  } catch (error) {
    // Nested more deeply than the parser's stack allows.
    if (error instanceof RangeError) return "it is nested too deep";
    throw error;
  }
}
