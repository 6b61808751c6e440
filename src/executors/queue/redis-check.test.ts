import { expect, test } from "vitest";
import { evictingPolicy, tooOldVersion } from "./redis-check.ts";

test("Redis before 6.2 is too old; what does not tell its version is not", () => {
  const info = (version: string) => `# Server\r\nredis_version:${version}\r\nredis_mode:standalone\r\n`;
  for (const old of ["6.0.16", "5.0.14", "2.8.0"]) expect(tooOldVersion(info(old))).toBe(old);
  for (const fine of ["6.2.0", "6.2.14", "7.0.15", "8.0.1", "10.0.0"]) expect(tooOldVersion(info(fine))).toBeNull();
  expect(tooOldVersion("")).toBeNull();
});

test("a policy that deletes keys is told; noeviction, and a server that tells none, are not", () => {
  const info = (policy: string) => `# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:${policy}\r\n`;
  expect(evictingPolicy(info("volatile-lru"))).toBe("volatile-lru");
  expect(evictingPolicy(info("noeviction"))).toBeNull();
  expect(evictingPolicy("")).toBeNull();
});
