/**
 * What a failed request to AWS means for the caller:
 * - throttled: only the rate was too high; retried later, and never counted as an attempt;
 * - credentials: expired or missing: no request can succeed until that changes;
 * - away: no answer, or a server error of AWS. Whether the request was executed is unknown;
 * - answered: AWS rejected this request, with a reason.
 */
export type AwsFault = { kind: "throttled" | "credentials" | "away" | "answered"; message: string };

const THROTTLES =
  /^(Throttling|ThrottlingException|ThrottledException|RequestThrottled|RequestThrottledException|TooManyRequestsException|RequestLimitExceeded|SlowDown|PriorRequestNotComplete|EC2ThrottledException)$/;
const CREDENTIALS =
  /^(ExpiredToken|ExpiredTokenException|UnrecognizedClientException|InvalidClientTokenId|InvalidSignatureException|SignatureDoesNotMatch|MissingAuthenticationToken|MissingAuthenticationTokenException|CredentialsProviderError|TokenProviderError)$/;

/** Errors of sockets, the resolver and the SDK's timers: the request got no answer. */
const UNANSWERED = /^(E[A-Z]{3,}|E[A-Z]+_[A-Z]+|TimeoutError|RequestTimeout|NetworkingError|AbortError)$/;

export function faultOf(error: unknown): AwsFault {
  const { name, message, code, status } = factsOf(error);
  const said = `${name}: ${message}`;
  if (THROTTLES.test(name) || status === 429) return { kind: "throttled", message: said };
  if (CREDENTIALS.test(name)) return { kind: "credentials", message: said };
  if (status !== null ? status >= 500 : UNANSWERED.test(code) || UNANSWERED.test(name)) return { kind: "away", message: said };
  return { kind: "answered", message: said };
}

function factsOf(error: unknown): { name: string; message: string; code: string; status: number | null } {
  if (!(error instanceof Error)) return { name: "Error", message: String(error), code: "", status: null };
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode ?? null;
  const code = (error as NodeJS.ErrnoException).code ?? "";
  // A refused connection is an AggregateError with an empty message.
  return { name: error.name, message: error.message || code || "no answer", code, status };
}
