import { z } from "zod";
import { taskErrorSchema } from "./execution.ts";
import { idSchema, runIdSchema } from "./ids.ts";

/** No blanks, brackets, commas or control characters: an address can neither end its header nor bring a second one along. */
const ADDRESS_PATTERN = /^[^\s@<>()[\]\\,;:"\p{Cc}]{1,64}@[^\s@<>()\\,;"\p{Cc}]{1,255}$/u;

export const ADDRESS_RULE = "an address like name@example.com, without a display name";

export const emailAddressSchema = z.string().regex(ADDRESS_PATTERN, `must be ${ADDRESS_RULE}`);

/** The addresses of a list, or of texts that separate them by commas or semicolons, as Airflow reads them. Not yet checked. */
export function splitAddresses(given: string | readonly string[]): string[] {
  const texts = typeof given === "string" ? [given] : given;
  const addresses = texts.flatMap((text) => text.split(/[,;]/)).map((address) => address.trim());
  return [...new Set(addresses.filter((address) => address !== ""))];
}

export function isEmailAddress(text: string): boolean {
  return ADDRESS_PATTERN.test(text);
}

/** An e-mail that the platform owes for a try that failed, or failed and will be tried again. Instants are ISO 8601. */
export const emailRequestSchema = z.object({
  kind: z.enum(["failure", "retry"]),
  /** The task did not say whether it wants such mails: the deployment's default decides. */
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
