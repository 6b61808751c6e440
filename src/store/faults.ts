/**
 * What an SQLSTATE or a socket error says about the connection, decided once:
 *
 * | state | meaning | taken for |
 * | ----- | ------- | --------- |
 * | 08xxx | connection exceptions | lost |
 * | 08P01 | protocol violation: a pooler's word for its own failures if it ends the session, else a statement of ours that is wrong | lost if FATAL |
 * | 25006 | a write on a server that is read-only: a standby, or the old primary after a failover | lost, and with it every connection of the pool |
 * | 25P03, 25P04 | a transaction that stood idle, or took, too long; its session was ended | lost |
 * | 53300 | too many connections | lost: there will be room again |
 * | 57P01–57P05 | shut down, crashed, starting up, database dropped, idle session ended | lost |
 * | 28xxx, 3D000; 42501 and 55000 if FATAL | the server refuses the login: role, password, pg_hba.conf, database | refused |
 * | 57014, 53100, 53200, all others | the statement failed, the session goes on | – |
 *
 * A refused login is final for a process that was never let in, since its settings are wrong. One that was let in before waits as if the
 * connection was lost: a password is being changed, or a database restored, and its running tasks must not end for that.
 */
const LOST_STATES = /^(08(?!P01)...|25006|25P0[34]|53300|57P0[1-5])$/;
const LOST_IF_FATAL = /^08P01$/;
const REFUSED_STATES = /^(28...|3D000)$/;
const REFUSED_IF_FATAL = /^(42501|55000)$/;
const LOST_SOCKET = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ENOENT",
  "ETIMEDOUT",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENETDOWN",
  "ENETUNREACH",
  "EADDRNOTAVAIL",
  "ENOTFOUND",
  "EAI_AGAIN",
]);
const LOST_MESSAGES =
  /Connection terminated|timeout exceeded when trying to connect|timeout expired|Client has encountered a connection error|Connection ended unexpectedly/i;

export function isConnectionLost(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: string };
  if (code !== undefined && (LOST_STATES.test(code) || LOST_SOCKET.has(code))) return true;
  if (code !== undefined && LOST_IF_FATAL.test(code) && isFatal(error)) return true;
  return LOST_MESSAGES.test(error.message);
}

/** The server is running and refuses the login. */
export function isLoginRefused(error: unknown): boolean {
  const code = sqlState(error);
  return code !== undefined && (REFUSED_STATES.test(code) || (REFUSED_IF_FATAL.test(code) && isFatal(error)));
}

/** The server takes no writes: a standby, or no longer the primary. */
export function isReadOnlyServer(error: unknown): boolean {
  return sqlState(error) === "25006";
}

/** The server ends the session with this error. */
function isFatal(error: unknown): boolean {
  return /^(FATAL|PANIC)$/.test(String((error as { severity?: string }).severity));
}

/** 57014: the server cancelled the statement at its time limit. The message: the server did not answer at all. */
export function isTimedOut(error: unknown): boolean {
  return sqlState(error) === "57014" || (error instanceof Error && error.message === "Query read timeout");
}

/** The server has not answered in time: the connection must not be used again. */
export function isUnanswered(error: unknown): boolean {
  return isTimedOut(error) && sqlState(error) !== "57014";
}

/** Serialization failure and deadlock: the transaction left nothing behind and may simply run again. */
export function isRetryable(error: unknown): boolean {
  const code = sqlState(error);
  return code === "40001" || code === "40P01";
}

/** The statement was not executed: an earlier one in its transaction has failed. */
export function isOfFailedTransaction(error: unknown): boolean {
  return sqlState(error) === "25P02";
}

/** The values themselves were refused (data exceptions, constraints, limits): repeating the statement would fail again. */
export function isDataFault(error: unknown): boolean {
  return /^(22|23|54)...$/.test(sqlState(error) ?? "");
}

/** A value that the server cannot store or that breaks a bound: the caller's fault, not the result of a race. */
export function isValueFault(error: unknown): boolean {
  return /^(22...|54...|23514)$/.test(sqlState(error) ?? "");
}

/** The name of the statement that failed, if it has one: the error's message does not contain it. */
export function statementOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as { statement?: string }).statement : undefined;
}

export function sqlState(error: unknown): string | undefined {
  return error instanceof Error ? (error as { code?: string }).code : undefined;
}
