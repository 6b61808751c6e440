import { expect, test } from "vitest";
import { faultOf } from "./fault-of.ts";

const answered = (name: string, status: number) =>
  Object.assign(new Error("said"), { name, $metadata: { httpStatusCode: status } });

test.each([
  ["throttled", answered("ThrottlingException", 400)],
  ["throttled", answered("TooManyRequestsException", 429)],
  ["throttled", answered("Anything", 429)],
  ["credentials", answered("ExpiredTokenException", 400)],
  ["credentials", answered("UnrecognizedClientException", 400)],
  [
    "credentials",
    Object.assign(new Error("Could not load credentials from any providers"), { name: "CredentialsProviderError" }),
  ],
  ["away", answered("ServerException", 500)],
  ["away", Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" })],
  ["away", Object.assign(new AggregateError([], ""), { code: "ECONNREFUSED" })],
  ["away", Object.assign(new Error("getaddrinfo EAI_AGAIN ecs.eu-west-1.amazonaws.com"), { code: "EAI_AGAIN" })],
  ["away", Object.assign(new Error("Request did not complete within requestTimeout"), { name: "TimeoutError" })],
  ["answered", answered("AccessDeniedException", 400)],
  ["answered", answered("ClusterNotFoundException", 400)],
  ["answered", new TypeError("a fault of ours, which no waiting mends")],
])("%s: %s", (kind, error) => {
  expect(faultOf(error).kind).toBe(kind);
});

test("the message has the error's name, and the code where there is no message", () => {
  expect(faultOf(answered("AccessDeniedException", 400)).message).toBe("AccessDeniedException: said");
  expect(faultOf(Object.assign(new AggregateError([], ""), { code: "ECONNREFUSED" })).message).toBe(
    "AggregateError: ECONNREFUSED",
  );
  expect(faultOf("text").message).toBe("Error: text");
});
