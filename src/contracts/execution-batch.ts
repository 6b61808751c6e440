import { z } from "zod";
import { int4Schema } from "./bound-schemas.ts";
import { outcomeSchema, runContextSchema } from "./execution.ts";
import { storableTextSchema } from "./storable.ts";

/** Baram's own calls below /execution/baram: many tries in one round trip. */
export const batchItemSchema = z.discriminatedUnion("op", [
  /** queued → running. `token` is the workload's. */
  z.object({
    op: z.literal("run"),
    id: z.uuid(),
    token: z.string(),
    hostname: storableTextSchema(255),
    unixname: storableTextSchema(255),
    pid: int4Schema,
  }),
  /** running → an end state. `token` is the running try's. */
  z.object({ op: z.literal("finish"), id: z.uuid(), token: z.string(), outcome: outcomeSchema }),
]);
export type BatchItem = z.infer<typeof batchItemSchema>;

/** Each item is parsed separately with `batchItemSchema`, so that an invalid one does not affect other tries. */
export const batchRequestSchema = z.object({ items: z.array(z.unknown()).max(1_000) });
/** The fields of an item that are needed to answer it. */
export const batchItemHeadSchema = z.object({ op: z.enum(["run", "finish"]), id: z.uuid(), token: z.string() });

const refusalSchema = z.object({
  id: z.string(),
  ok: z.literal(false),
  status: z.int(),
  code: z.string(),
  message: z.string(),
  /** For a try that could not start: its current state. */
  previousState: z.string().nullable().optional(),
});
export const batchAnswerSchema = z.object({
  items: z.array(
    z.union([
      z.object({
        id: z.string(),
        ok: z.literal(true),
        context: runContextSchema.optional(),
        /** For an end: why the try failed instead of ending as reported. */
        failed: z.string().optional(),
      }),
      refusalSchema,
    ]),
  ),
});
export type BatchAnswer = z.infer<typeof batchAnswerSchema>;

export const heartbeatRequestSchema = z.object({ tries: z.array(z.object({ id: z.uuid(), token: z.string() })).max(10_000) });
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
/**
 * A piece of the log stream of one worker. `offset` is in bytes from the start of this worker's stream, which may begin with a
 * part of what the log already contains. `token`: the try's, which identifies the log.
 */
export const logPieceSchema = z.object({
  token: z.string(),
  session: z.uuid(),
  offset: z.int().min(0),
  text: z.string(),
  isEnd: z.boolean(),
  /** The log starts with this stream. */
  isAnew: z.boolean().default(false),
});
export const logPiecesSchema = z.object({
  pieces: z
    .array(logPieceSchema)
    .max(LOG_PIECES_MAX)
    .refine((pieces) => pieces.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0) <= LOG_PIECES_MAX_BYTES, {
      error: `have more than ${LOG_PIECES_MAX_BYTES} bytes`,
    }),
});
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

export const callRequestSchema = z.object({ method: z.string(), params: z.record(z.string(), z.unknown()) });
