import { expect, test } from "vitest";
import { faultOf, UnreadableAnswerError } from "./fault-of.ts";

const answered = (name: string, status: number, message = "said") =>
  Object.assign(new Error(message), { name, $fault: "client", $metadata: { httpStatusCode: status } });
/** As the SDK throws it: with the response, and without a fault. */
const unreadable = (error: Error, status: number) =>
  Object.defineProperty(Object.assign(error, { $metadata: { httpStatusCode: status } }), "$response", { value: {} });
const coded = (code: string, message = "said") => Object.assign(new Error(message), { code });
const timeout = (message: string) => Object.assign(new Error(message), { name: "TimeoutError" });

test.each([
  ["throttled", answered("ThrottlingException", 400)],
  ["throttled", answered("TooManyRequestsException", 429)],
  ["throttled", answered("Anything", 429)],
  ["credentials", answered("ExpiredTokenException", 400)],
  ["credentials", answered("UnrecognizedClientException", 400)],
  ["credentials", answered("RequestTimeTooSkewed", 403)],
  ["credentials", answered("RequestExpired", 400)],
  [
    "credentials",
    Object.assign(new Error("Could not load credentials from any providers"), { name: "CredentialsProviderError" }),
  ],
  ["too_large", answered("RequestTooLargeException", 413)],
  ["too_large", unreadable(new SyntaxError("Unexpected token '<'"), 413)],
  ["too_large", answered("InvalidParameterException", 400, "Container Overrides length must be at most 8192")],
  ["away", answered("ServerException", 500)],
  ["away", coded("ECONNREFUSED")],
  ["away", coded("CERT_HAS_EXPIRED")],
  ["away", Object.assign(new AggregateError([], ""), { code: "ECONNREFUSED" })],
  ["away", timeout("Request did not complete within requestTimeout")],
  ["away", unreadable(new SyntaxError("Unterminated string in JSON"), 200)],
  ["away", unreadable(new SyntaxError("Unexpected token '<'"), 403)],
  ["answered", answered("AccessDeniedException", 400)],
  ["answered", answered("ClusterNotFoundException", 400)],
  ["answered", new TypeError("a fault of ours, which no waiting mends")],
  ["answered", Object.assign(new TypeError("Invalid URL"), { code: "ERR_INVALID_URL" })],
  ["answered", new Error("No value provided for input HTTP label: FunctionName.")],
])("%s: %s", (kind, error) => {
  expect(faultOf(error).kind).toBe(kind);
});

test.each([
  ["a reset connection", coded("ECONNRESET")],
  ["a request without an answer in time", timeout("a request has exceeded the configured 30000 ms requestTimeout.")],
  ["a body that is cut by its connection", unreadable(coded("ECONNRESET", "aborted"), 200)],
  ["a body that is cut and ended properly", unreadable(new SyntaxError("Unterminated string in JSON at position 27"), 200)],
  ["a body that stops to come", unreadable(timeout("the request socket timed out after 30000 ms of inactivity"), 200)],
  ["an answer with nothing in it", new UnreadableAnswerError("RunTask answered with no task and no reason")],
  ["a server error", answered("ServerException", 503)],
])("%s: the request may have been executed", (_what, error) => {
  expect(faultOf(error)).toMatchObject({ kind: "away", isAmbiguous: true });
});

test.each([
  ["a refused connection", coded("ECONNREFUSED")],
  ["a name that is not resolved", coded("EAI_AGAIN")],
  ["no connection in time", timeout("the request socket did not establish a connection with the server within 5000 ms.")],
  ["a certificate that is not accepted", coded("UNABLE_TO_VERIFY_LEAF_SIGNATURE")],
  ["a throttle", answered("ThrottlingException", 400)],
  ["expired credentials", answered("ExpiredTokenException", 400)],
  ["a refusal", answered("AccessDeniedException", 400)],
])("%s: the request was certainly not executed", (_what, error) => {
  expect(faultOf(error).isAmbiguous).toBe(false);
});

test("the message has the error's name, one line, and the code where there is no message", () => {
  expect(faultOf(answered("AccessDeniedException", 400)).message).toBe("AccessDeniedException: said");
  expect(faultOf(Object.assign(new AggregateError([], ""), { code: "ECONNREFUSED" })).message).toBe(
    "AggregateError: ECONNREFUSED",
  );
  expect(faultOf("text").message).toBe("Error: text");
  expect(faultOf(unreadable(new SyntaxError("aborted\n  Deserialization error: to see"), 200)).message).toBe(
    "SyntaxError: aborted",
  );
});
