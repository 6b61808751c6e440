export { createPublicApi } from "./app.ts";
export { createUser, ensureAdmin, ROLES, type Role } from "./auth/index.ts";
export type { PublicApiOptions, PublicApiResources } from "./resources.ts";
