import { z } from "zod";
import { taskErrorSchema } from "./execution.ts";
import { idSchema, runIdSchema } from "./ids.ts";

/** No blanks, brackets, commas or control characters, so that an address can neither end its header nor add another one. */
const ADDRESS_PATTERN = /^[^\s@<>()[\]\\,;:"\p{Cc}]{1,64}@[^\s@<>()\\,;"\p{Cc}]{1,255}$/u;

export const ADDRESS_RULE = "an address like name@example.com, without a display name";

export const emailAddressSchema = z.string().regex(ADDRESS_PATTERN, `must be ${ADDRESS_RULE}`);

/**
 * Splits a list, or texts with addresses separated by commas or semicolons, as Airflow does. The addresses are not validated yet.
 */
export function splitAddresses(given: string | readonly string[]): string[] {
  const texts = typeof given === "string" ? [given] : given;
  const addresses = texts.flatMap((text) => text.split(/[,;]/)).map((address) => address.trim());
  return [...new Set(addresses.filter((address) => address !== ""))];
}

export function isEmailAddress(text: string): boolean {
  return ADDRESS_PATTERN.test(text);
}

/** An email about a try that failed, or that failed and will be retried. Instants are ISO 8601. */
export const emailRequestSchema = z.object({
  kind: z.enum(["failure", "retry"]),
  /** The task does not specify whether such emails are sent: the deployment's default decides. */
  isByDefault: z.boolean(),
  to: z.array(emailAddressSchema).min(1),
  dagId: idSchema,
  runId: runIdSchema,
  taskId: idSchema,
  /** -1 = the task is not mapped. */
  mapIndex: z.int().min(-1),
  tryNumber: z.int(),
  maxTries: z.int(),
  hostname: z.string().nullable(),
  startDate: z.string().nullable(),
  endDate: z.string(),
  error: taskErrorSchema,
});
export type EmailRequest = z.infer<typeof emailRequestSchema>;
