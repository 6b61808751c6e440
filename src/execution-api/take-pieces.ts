import type { z } from "zod";
import type { LogAnswers, logPieceSchema } from "../contracts/index.ts";
import { BaramError } from "../platform/index.ts";
import type { ExecutionApiResources } from "./resources.ts";
import { OVERDUE_SEC } from "./tokens.ts";

type Answer = LogAnswers["pieces"][number];

/**
 * Writes pieces of logs, each to the log that its try's token names. Taken also when the try is over and its token overdue: a worker that
 * was cut off sends what it has. A piece that is refused or cannot be written keeps no other from being written.
 */
export async function takePieces(
  { tokens, logs, logger }: ExecutionApiResources,
  pieces: readonly z.infer<typeof logPieceSchema>[],
): Promise<Answer[]> {
  const answers = new Map<number, Answer>();
  const allowed: { at: number; path: string; piece: Omit<(typeof pieces)[number], "token"> }[] = [];
  for (const [at, { token, ...piece }] of pieces.entries()) {
    try {
      const { logPath: path } = await tokens.verify("baram:task", token, OVERDUE_SEC);
      if (path !== undefined) allowed.push({ at, path, piece });
      else answers.set(at, { status: 403, code: "token_of_another", message: "The token is not one that may write a log." });
    } catch (error) {
      if (!(error instanceof BaramError)) throw error;
      answers.set(at, { status: 401, code: error.code, message: error.message });
    }
  }
  const written = allowed.length === 0 ? [] : await logs.append(allowed.map(({ path, piece }) => ({ path, piece })));
  for (const [index, { at, path }] of allowed.entries()) {
    const receipt = written[index];
    if (receipt && "received" in receipt) answers.set(at, receipt);
    else {
      logger.error({ path, error: receipt?.message }, "a piece of a log could not be written");
      answers.set(at, { status: 503, code: "log_not_written", message: "The log store could not write it; send it again." });
    }
  }
  return pieces.map((_, at) => answers.get(at) ?? { status: 503, code: "log_not_written", message: "It was not looked at." });
}
