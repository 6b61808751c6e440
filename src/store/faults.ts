/** SQLSTATEs and socket errors after which the connection is gone or the server is not there. */
const LOST_STATES = new Set(["25P03", "57P01", "57P02", "57P03", "53300", "08000", "08001", "08003", "08004", "08006"]);
const LOST_SOCKET = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ENOENT",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
]);
const LOST_MESSAGES =
  /Connection terminated|timeout exceeded when trying to connect|timeout expired|Client has encountered a connection error|Connection ended unexpectedly/i;

export function isConnectionLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: string };
  return (code !== undefined && (LOST_STATES.has(code) || LOST_SOCKET.has(code))) || LOST_MESSAGES.test(error.message);
}

/** 57014: the server cancelled the statement at its time limit; the message: the server did not answer us at all. */
export function isTimedOut(error: unknown): boolean {
  return sqlState(error) === "57014" || (error instanceof Error && error.message === "Query read timeout");
}

/** The server has not answered: whatever the connection does next, it is not to be used again. */
export function isUnanswered(error: unknown): boolean {
  return isTimedOut(error) && sqlState(error) !== "57014";
}

/** Serialization failure and deadlock: the transaction left nothing behind and may simply run again. */
export function isRetryable(error: unknown): boolean {
  const code = sqlState(error);
  return code === "40001" || code === "40P01";
}

/** The statement was not even looked at: one before it in its transaction has failed. */
export function isOfFailedTransaction(error: unknown): boolean {
  return sqlState(error) === "25P02";
}

/** The values themselves were refused (data exceptions, constraints, limits): the same statement would fail for ever. */
export function isDataFault(error: unknown): boolean {
  return /^(22|23|54)...$/.test(sqlState(error) ?? "");
}

export function sqlState(error: unknown): string | undefined {
  return error instanceof Error ? (error as { code?: string }).code : undefined;
}
