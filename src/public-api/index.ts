export { createPublicApi } from "./app.ts";
export {
  changePassword,
  changeRole,
  createHashPool,
  createKnownUsers,
  createUser,
  ensureAdmin,
  type KnownUsers,
  ROLES,
  type Role,
  removeUser,
  userOf,
} from "./auth/index.ts";
export type { PublicApiOptions, PublicApiResources } from "./resources.ts";
