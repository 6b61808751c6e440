import type { z } from "zod";
import { type LogAnswers, logPieceSchema } from "../contracts/index.ts";
import { BaramError, describeIssue, type Tokens } from "../platform/index.ts";
import type { ExecutionApiResources } from "./resources.ts";
import { OVERDUE_SEC } from "./tokens.ts";

type Answer = LogAnswers["pieces"][number];
type LogRefusal = Extract<Answer, { status: number }>;
type Piece = z.infer<typeof logPieceSchema>;
type Allowed = { path: string; piece: Omit<Piece, "token"> };

/**
 * Writes pieces of logs, each to the log that its try's token names. Also accepted after the try has ended and its token has
 * expired: a worker that was cut off sends what it has. A piece that is refused or cannot be written does not affect the others.
 */
export async function takePieces({ tokens, logs, logger }: ExecutionApiResources, pieces: readonly unknown[]): Promise<Answer[]> {
  const judged = await Promise.all(pieces.map((piece) => judge(tokens, piece)));
  const allowed = judged.filter((one) => "path" in one);
  const written = allowed.length === 0 ? [] : await logs.append(allowed);
  const receipts = new Map(allowed.map((one, at) => [one, written[at]]));
  return judged.map((one): Answer => {
    if (!("path" in one)) return one;
    const receipt = receipts.get(one);
    if (receipt && "received" in receipt) return receipt;
    logger.error({ path: one.path, error: receipt?.message }, "a piece of a log could not be written");
    return { status: 503, code: "log_not_written", message: "The log store could not write it; send it again." };
  });
}

/** The log that the piece belongs to, or why it is refused. */
async function judge(tokens: Tokens, given: unknown): Promise<Allowed | LogRefusal> {
  const read = logPieceSchema.safeParse(given);
  if (!read.success) return { status: 422, code: "piece_invalid", message: describeIssue(read.error) };
  const { token, ...piece } = read.data;
  try {
    const { audience, logPath: path } = await tokens.verify(["baram:task", "baram:probe"], token, OVERDUE_SEC);
    if (audience === "baram:probe") await tokens.verify(audience, token);
    if (path !== undefined) return { path, piece };
    return { status: 403, code: "token_of_another", message: "The token is not one that may write a log." };
  } catch (error) {
    if (!(error instanceof BaramError)) throw error;
    return { status: 401, code: error.code, message: error.message };
  }
}
