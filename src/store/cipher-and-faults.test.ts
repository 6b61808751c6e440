import { expect, test } from "vitest";
import { createCipher } from "./cipher.ts";
import { isConnectionLost, isDataFault, isRetryable } from "./faults.ts";

const cipher = createCipher(Buffer.alloc(32, 1));
const refused = expect.objectContaining({ code: "decryption_failed" });

test("what was encrypted comes back, never twice in the same form, and never in the clear", () => {
  for (const text of ["", "hunter22", "ü€😀\n", "x".repeat(100_000)]) {
    const stored = cipher.encrypt(text);
    expect(cipher.decrypt(stored)).toBe(text);
    expect(cipher.encrypt(text).equals(stored)).toBe(false);
    if (text) expect(stored.includes(text)).toBe(false);
  }
});

test("any changed byte, any cut, and another key are refused without the text", () => {
  const stored = cipher.encrypt("hunter22");
  for (let at = 0; at < stored.length; at++) {
    const changed = Buffer.from(stored);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(() => cipher.decrypt(changed), `byte ${at}`).toThrow(refused);
    expect(() => cipher.decrypt(stored.subarray(0, at)), `cut at ${at}`).toThrow(refused);
  }
  expect(() => createCipher(Buffer.alloc(32, 2)).decrypt(stored)).toThrow(refused);
  expect(() => createCipher(Buffer.alloc(32, 2)).decrypt(stored)).toThrow(
    expect.objectContaining({ message: expect.not.stringContaining("hunter22") }),
  );
});

const coded = (code: string) => Object.assign(new Error("x"), { code });

test("a fault is of one kind at most: connection lost, run again, or the data's own", () => {
  const kinds = (error: unknown) => [isConnectionLost(error), isRetryable(error), isDataFault(error)];
  for (const code of ["57P01", "57P03", "08006", "53300", "ECONNREFUSED", "EPIPE", "ENOENT"])
    expect(kinds(coded(code)), code).toEqual([true, false, false]);
  for (const code of ["40001", "40P01"]) expect(kinds(coded(code)), code).toEqual([false, true, false]);
  for (const code of ["22021", "22003", "23505", "54000"]) expect(kinds(coded(code)), code).toEqual([false, false, true]);
  for (const error of [coded("42601"), coded("42P01"), coded("28P01"), coded("53100"), new Error("x"), "57P01", null, undefined])
    expect(kinds(error)).toEqual([false, false, false]);
  expect(isConnectionLost(new Error("Connection terminated unexpectedly"))).toBe(true);
});
