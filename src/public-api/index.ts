export { createPublicApi } from "./app.ts";
export { createUser, ensureAdmin, type Role } from "./auth/index.ts";
export type { PublicApiOptions, PublicApiResources } from "./resources.ts";
