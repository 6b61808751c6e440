import { expect, test } from "vitest";
import { createCipher } from "./cipher.ts";
import { isConnectionLost, isDataFault, isLoginRefused, isRetryable } from "./faults.ts";

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

const coded = (code: string, severity?: string) => Object.assign(new Error("x"), { code, severity });

type Kind = "lost" | "refused" | "run again" | "data" | "none";
const KINDS: readonly (readonly [Kind, readonly string[], severity?: string])[] = [
  ["lost", ["08000", "08001", "08003", "08004", "08006", "08007"]],
  ["lost", ["08P01"], "FATAL"],
  ["none", ["08P01"], "ERROR"],
  ["lost", ["25006", "25P03", "25P04", "53300"]],
  ["lost", ["57P01", "57P02", "57P03", "57P04", "57P05"], "FATAL"],
  ["lost", ["ECONNREFUSED", "ECONNRESET", "EPIPE", "ENOENT", "ENETUNREACH", "ENOTFOUND", "EAI_AGAIN", "EADDRNOTAVAIL"]],
  ["refused", ["28000", "28P01", "3D000"], "FATAL"],
  ["refused", ["42501", "55000"], "FATAL"],
  ["none", ["42501", "55000"], "ERROR"],
  ["run again", ["40001", "40P01"]],
  ["data", ["22021", "22003", "23505", "54000"]],
  ["none", ["57014", "25P02", "25001", "53100", "53200", "42601", "42P01", "57P0", "3D0001"]],
];

test("a fault is of one kind at most: connection lost, login refused, run again, or the data's own", () => {
  for (const [kind, codes, severity] of KINDS)
    for (const code of codes) expect(kindsOf(coded(code, severity)), code).toEqual(kind === "none" ? [] : [kind]);
});

test("what is no error of a database is of no kind, and some of the client's are known by their words only", () => {
  for (const thrown of [new Error("x"), "57P01", null, undefined]) expect(kindsOf(thrown)).toEqual([]);
  expect(kindsOf(new Error("Connection terminated unexpectedly"))).toEqual(["lost"]);
});

function kindsOf(error: unknown): Kind[] {
  const kinds: readonly (readonly [Kind, boolean])[] = [
    ["lost", isConnectionLost(error)],
    ["refused", isLoginRefused(error)],
    ["run again", isRetryable(error)],
    ["data", isDataFault(error)],
  ];
  return kinds.filter(([, is]) => is).map(([kind]) => kind);
}
