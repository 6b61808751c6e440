import { userInfo } from "node:os";

/** The name this process runs under; a container's uid may have none. */
export function systemUser(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? "unknown"}`;
  }
}
