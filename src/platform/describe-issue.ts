/** The part of zod's error that is used here. */
export type SchemaIssues = { readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[] };

/** The first fault that a schema found, with its place: `outcome.xcoms.0.key: Too big`. */
export function describeIssue({ issues: [issue] }: SchemaIssues): string {
  const place = issue?.path.map(String).join(".") ?? "";
  return `${place === "" ? "" : `${place}: `}${issue?.message ?? "is wrong"}`;
}
