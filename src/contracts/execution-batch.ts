import { z } from "zod";
import { int4Schema } from "./bound-schemas.ts";
import { outcomeSchema, runContextSchema } from "./execution.ts";
import { storableTextSchema } from "./storable.ts";

// Baram's own calls below /execution/baram: many tries in one round trip. Each call carries a bearer token, which the API checks before
// it reads the body: any good one of those in the call. The tokens of the items decide about the items.

/** A try's token was measured with 0.3 KB, and with 1.3 KB for ids of the greatest length. */
const tokenSchema = z.string().max(4_096);

/**
 * Limits of a batch. Measured: a start has 0.4 KB, and an end with a small result 0.5 KB, so 200 of them have 0.1 MB. A supervisor
 * stays below; an end that is larger by itself (XComs, what a task defers with) goes alone, with its own try's token as the bearer.
 */
export const BATCH_MAX_BYTES = 4 * 1024 * 1024;
export const BATCH_ITEMS_MAX = 200;
/**
 * Limit of a call of one running try, such as an end that goes alone or an XCom that is pushed. A result and its parts by
 * `multipleOutputs` have twice what an XCom may have; another half is for workers that write JSON as ASCII.
 */
export const aloneMaxBytes = (xcomMaxBytes: number) => BATCH_MAX_BYTES + 4 * xcomMaxBytes;

export const batchItemSchema = z.discriminatedUnion("op", [
  /** queued → running. `token` is the workload's. */
  z.object({
    op: z.literal("run"),
    id: z.uuid(),
    token: tokenSchema,
    hostname: storableTextSchema(255),
    unixname: storableTextSchema(255),
    pid: int4Schema,
  }),
  /** running → an end state. `token` is the running try's. */
  z.object({ op: z.literal("finish"), id: z.uuid(), token: tokenSchema, outcome: outcomeSchema }),
]);
export type BatchItem = z.infer<typeof batchItemSchema>;

/** Each item is parsed separately with `batchItemSchema`, so that an invalid one does not affect other tries. */
export const batchRequestSchema = z.object({ items: z.array(z.unknown()).max(BATCH_ITEMS_MAX) });
/** The fields of an item that are needed to answer it. */
export const batchItemHeadSchema = z.object({ op: z.enum(["run", "finish"]), id: z.uuid(), token: tokenSchema });

const refusalSchema = z.object({
  /** null: the item has no id that could be read. */
  id: z.string().nullable(),
  ok: z.literal(false),
  status: z.int(),
  code: z.string(),
  message: z.string(),
  /** For a try that could not start: its current state. */
  previousState: z.string().nullable().optional(),
});
/** In the order of the items. */
export const batchAnswerSchema = z.object({
  items: z.array(
    z.union([
      z.object({
        id: z.string(),
        ok: z.literal(true),
        context: runContextSchema.optional(),
        /** For an end: why the try failed instead of ending as reported. */
        failed: z.string().optional(),
        /** For an end whose task has callbacks: the token of their calls, valid for as long as they may run. */
        token: z.string().optional(),
      }),
      refusalSchema,
    ]),
  ),
});
export type BatchAnswer = z.infer<typeof batchAnswerSchema>;

/** Tries in one heartbeat, 0.4 KB each, and 1.4 KB with ids of the greatest length. A supervisor with more of them sends several. */
export const HEARTBEAT_TRIES_MAX = 1_000;
export const HEARTBEAT_MAX_BYTES = 2 * 1024 * 1024;
export const heartbeatItemSchema = z.object({ id: z.uuid(), token: tokenSchema });
/** Each try is checked by itself: one that does not match is lost, and the others beat. */
export const heartbeatRequestSchema = z.object({ tries: z.array(z.unknown()).max(HEARTBEAT_TRIES_MAX) });
/**
 * `running`: with a new token if the old one is about to expire. `lost`: the worker must stop these tries; their writes are
 * rejected. `reasons`: why they were stopped, by id, if a reason is stored.
 */
export const heartbeatAnswerSchema = z.object({
  running: z.array(z.object({ id: z.string(), token: z.string().optional() })),
  lost: z.array(z.string()),
  reasons: z.record(z.string(), z.string()).optional(),
});
export type HeartbeatAnswer = z.infer<typeof heartbeatAnswerSchema>;

/** Maximum size of all log pieces in one call, in bytes of UTF-8. */
export const LOG_PIECES_MAX_BYTES = 256 * 1024;
export const LOG_PIECES_MAX = 200;
/** JSON takes at most six bytes for one byte of text; each piece also has its token. */
export const LOG_BODY_MAX_BYTES = 6 * LOG_PIECES_MAX_BYTES + 2_048 * LOG_PIECES_MAX;
/**
 * A piece of the log stream of one worker. `offset` is in bytes from the start of this worker's stream, which may begin with a
 * part of what the log already contains. `token`: the try's, which identifies the log.
 */
export const logPieceSchema = z.object({
  token: tokenSchema,
  session: z.uuid(),
  offset: z.int().min(0),
  text: z
    .string()
    .refine((text) => Buffer.byteLength(text) <= LOG_PIECES_MAX_BYTES, { error: `has more than ${LOG_PIECES_MAX_BYTES} bytes` }),
  isEnd: z.boolean(),
  /** The log starts with this stream. */
  isAnew: z.boolean().default(false),
});
/** Each piece is checked by itself, so that one that does not match is refused alone. */
export const logPiecesSchema = z.object({ pieces: z.array(z.unknown()).max(LOG_PIECES_MAX) });
/**
 * In the order of the pieces. `received`: number of bytes of the stream that have arrived. `isMarked`: the end of the stream must
 * be reported.
 */
export const logAnswersSchema = z.object({
  pieces: z.array(
    z.union([
      z.object({ received: z.int(), isMarked: z.boolean() }),
      z.object({ status: z.int(), code: z.string(), message: z.string() }),
    ]),
  ),
});
export type LogAnswers = z.infer<typeof logAnswersSchema>;

export const callRequestSchema = z.object({ method: z.string().max(100), params: z.record(z.string(), z.unknown()) });
