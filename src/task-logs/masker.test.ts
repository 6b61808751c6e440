import { expect, test } from "vitest";
import { createMasker, isSensitiveName } from "./masker.ts";

function masked(text: string, ...secrets: string[]): string {
  const masker = createMasker();
  for (const secret of secrets) masker.add(secret);
  return masker.mask(text);
}

test("a secret is hidden as it is and in the forms it travels in", () => {
  const secret = 'p&ss "wörd"/+x';
  for (const form of [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    Buffer.from(secret).toString("base64"),
    Buffer.from(secret).toString("base64").replace(/=+$/, ""),
  ]) {
    expect(masked(`before ${form} after`, secret)).toMatch(/^before \*\*\*=* after$/);
  }
});

test("every line of a secret of several lines is hidden by itself", () => {
  const key = "-----BEGIN KEY-----\r\nMIIEvQIBADAN\nab\n-----END KEY-----";
  expect(masked("first MIIEvQIBADAN second", key)).toBe("first *** second");
  expect(masked(`x${key}y`, key)).toBe("x***y");
});

test("characters that mean something in a pattern mean nothing in a secret", () => {
  const secret = "a.*+?^$".concat("{}()|[]\\z");
  expect(masked(`[${secret}]`, secret)).toBe("[***]");
  expect(masked("aXXXXXXXz", "a.*z.*")).toBe("aXXXXXXXz");
});

test("of secrets that contain each other the longest is hidden whole, in whatever order they came", () => {
  expect(masked("hunter2-and-more", "hunter2", "hunter2-and-more")).toBe("***");
  expect(masked("hunter2-and-more", "hunter2-and-more", "hunter2")).toBe("***");
  expect(masked("hunter2 alone", "hunter2-and-more", "hunter2")).toBe("*** alone");
});

test("all places are hidden, also after a secret was added later; short words are let be", () => {
  const masker = createMasker();
  expect(masker.mask("secret-1 secret-2")).toBe("secret-1 secret-2");
  masker.add("secret-1");
  expect(masker.mask("secret-1 secret-2 secret-1")).toBe("*** secret-2 ***");
  masker.add("secret-2");
  masker.add("abcd");
  masker.add("");
  expect(masker.mask("secret-1 secret-2 abcd")).toBe("*** *** abcd");
});

test("names that promise a secret are known", () => {
  for (const name of ["PASSWORD", "db_passwd", "apiKey", "api_key", "my-token", "Authorization", "private_key"])
    expect(isSensitiveName(name), name).toBe(true);
  for (const name of ["host", "passage", "key", "author"]) expect(isSensitiveName(name), name).toBe(false);
});
