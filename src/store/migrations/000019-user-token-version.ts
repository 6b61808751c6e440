/**
 * What a user's tokens must carry to be accepted. A new password gives the row a new value, and so does a user who is deleted and created
 * again: older tokens end. Random, since a number could come back. Tokens of an older Baram carry none, so users log in once more.
 */
export const userTokenVersion = {
  version: 19,
  name: "user-token-version",
  breaking: false,
  sql: "alter table app_user add column token_version uuid not null default gen_random_uuid()",
};
