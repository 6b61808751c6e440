/**
 * What a failed request to AWS means for the caller:
 * - throttled: only the rate was too high; retried later, and never counted as an attempt;
 * - credentials: expired or missing, or this machine's clock is wrong: no request can succeed until that changes;
 * - away: no answer, one that cannot be read, or a server error of AWS;
 * - too_large: the request can never be accepted, whenever it is repeated;
 * - answered: AWS rejected this request, with a reason.
 */
export type AwsFault = {
  kind: "throttled" | "credentials" | "away" | "too_large" | "answered";
  /** The request may have been executed, although it failed. */
  isAmbiguous: boolean;
  message: string;
};

const THROTTLES =
  /^(Throttling|ThrottlingException|ThrottledException|RequestThrottled|RequestThrottledException|TooManyRequestsException|RequestLimitExceeded|SlowDown|PriorRequestNotComplete|EC2ThrottledException)$/;
const CREDENTIALS =
  /^(ExpiredToken|ExpiredTokenException|UnrecognizedClientException|InvalidClientTokenId|InvalidSignatureException|SignatureDoesNotMatch|MissingAuthenticationToken|MissingAuthenticationTokenException|RequestExpired|RequestTimeTooSkewed|RequestInTheFuture|CredentialsProviderError|TokenProviderError)$/;
const TOO_LARGE = /^(RequestTooLargeException|RequestEntityTooLargeException|PayloadTooLargeException)$/;
/** ECS has no error of its own for overrides that are too long. */
const TOO_LONG = /\b(length must be at most|must have length less than or equal to)\b/;

/** Errors of the SDK's timers, where they have no code. */
const UNANSWERED = /^(TimeoutError|RequestTimeout|NetworkingError|AbortError)$/;
/** The connection was never there, so no request was sent. */
const UNSENT =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENETDOWN|CERT_.*|ERR_TLS_.*|UNABLE_TO_.*|.*SELF_SIGNED_.*)$/;
const UNCONNECTED = /did not establish a connection/;

export function faultOf(error: unknown): AwsFault {
  const facts = factsOf(error);
  const { name, message, code, status } = facts;
  const fault = (kind: AwsFault["kind"], isAmbiguous = false): AwsFault => ({
    kind,
    isAmbiguous,
    message: `${name}: ${message}`,
  });
  if (status === 413 || TOO_LARGE.test(name) || (status === 400 && TOO_LONG.test(message))) return fault("too_large");
  // What stands between this machine and AWS may have answered, and with any status; so may AWS, if the body was cut.
  if (facts.isUnreadable) return fault("away", true);
  if (THROTTLES.test(name) || status === 429) return fault("throttled");
  if (CREDENTIALS.test(name)) return fault("credentials");
  if (status !== null && status >= 500) return fault("away", true);
  if (status !== null || error instanceof TypeError) return fault("answered");
  if (UNANSWERED.test(name) || code !== "") return fault("away", !UNSENT.test(code) && !UNCONNECTED.test(message));
  return fault("answered");
}

/** An answer of AWS that says neither that it did what it was asked nor why not. */
export class UnreadableAnswerError extends Error {
  override readonly name = "UnreadableAnswerError";
}

type Facts = { name: string; message: string; code: string; status: number | null; isUnreadable: boolean };

const MESSAGE_MAX = 500;

function factsOf(error: unknown): Facts {
  if (!(error instanceof Error)) return { name: "Error", message: String(error), code: "", status: null, isUnreadable: false };
  const { $metadata, $fault } = error as { $metadata?: { httpStatusCode?: number }; $fault?: string };
  const code = (error as NodeJS.ErrnoException).code ?? "";
  // The SDK gives what it could not parse the answer, and no fault; the hint in its second line is for programmers.
  const isUnreadable = error instanceof UnreadableAnswerError || ("$response" in error && $fault === undefined);
  const said = error.message.split("\n")[0]?.slice(0, MESSAGE_MAX);
  // A refused connection is an AggregateError with an empty message.
  const message = said || code || "no answer";
  return { name: error.name, message, code, status: $metadata?.httpStatusCode ?? null, isUnreadable };
}
