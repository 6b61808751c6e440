import jwt from "jsonwebtoken";
import { describe, expect, test, vi } from "vitest";
import { createTokens } from "./tokens.ts";

const secret = new Uint8Array(48).fill(1);
const tokens = createTokens(secret);
const invalid = { code: "token_invalid" };
/** The signer accepts its own token from memory; another process has to verify it. Both must come to the same result. */
const verifiers = [
  ["by who signed it", tokens],
  ["by another process", createTokens(secret)],
] as const;

describe.each(verifiers)("verified %s", (_, verifier) => {
  test("a token gives back its subject and version to its own audience", async () => {
    const token = await tokens.sign("baram:user", { subject: "ada", version: "7" }, 60);
    expect(await verifier.verify("baram:user", token)).toMatchObject({ subject: "ada", version: "7" });
  });

  test("a token is refused by every other audience", async () => {
    const audiences = ["baram:user", "baram:workload", "baram:task"] as const;
    for (const given of audiences) {
      const token = await tokens.sign(given, { subject: "x" }, 60);
      for (const asked of audiences) {
        if (asked !== given) await expect(verifier.verify(asked, token)).rejects.toMatchObject(invalid);
      }
    }
  });

  test("a token ends with its time, and is taken for the tolerance beyond it", async () => {
    const token = await tokens.sign("baram:task", { subject: "x" }, -5);
    await expect(verifier.verify("baram:task", token)).rejects.toMatchObject({ code: "token_expired" });
    await expect(verifier.verify("baram:task", token, 2)).rejects.toMatchObject({ code: "token_expired" });
    expect((await verifier.verify("baram:task", token, 60)).expiresAt).toBeLessThan(Date.now() / 1_000);
  });

  test("a token without an end, as earlier releases signed, counts as expired", async () => {
    const token = jwt.sign({}, Buffer.from(secret), { subject: "x", audience: "baram:workload" });
    await expect(verifier.verify("baram:workload", token)).rejects.toMatchObject({ code: "token_expired" });
    await expect(verifier.verify("baram:workload", token, 3_600)).rejects.toMatchObject({ code: "token_expired" });
  });

  test("what a token says about its task goes along, and several audiences may be asked for", async () => {
    const token = await tokens.sign("baram:workload", { subject: "x", needsWorker: true, hasCallbacks: false }, 60);
    const claims = await verifier.verify(["baram:task", "baram:workload"], token);
    expect(claims).toEqual({ audience: "baram:workload", subject: "x", needsWorker: true, expiresAt: claims.expiresAt });
    await expect(verifier.verify(["baram:task", "baram:worker"], token)).rejects.toMatchObject(invalid);
  });

  test("a token that was changed, signed with another secret or not at all, or lacks a claim is refused", async () => {
    const token = await tokens.sign("baram:user", { subject: "ada" }, 60);
    const [head, , signature] = token.split(".");
    const forged = Buffer.from(JSON.stringify({ sub: "eve", aud: "baram:user", iat: 1 })).toString("base64url");
    const bad = [
      "",
      "no token",
      `${head}.${forged}.${signature}`,
      `${token.slice(0, -3)}AAA`,
      await createTokens(new Uint8Array(48).fill(2)).sign("baram:user", { subject: "ada" }, 60),
      jwt.sign({}, "", { algorithm: "none", subject: "eve", audience: "baram:user" }),
      jwt.sign({}, Buffer.from(secret), { audience: "baram:user" }),
      jwt.sign({}, Buffer.from(secret), { algorithm: "HS512", subject: "x", audience: "baram:user" }),
    ];
    for (const one of bad) await expect(verifier.verify("baram:user", one)).rejects.toMatchObject(invalid);
  });

  test("a token that was good before is judged by audience and time all the same", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const token = await tokens.sign("baram:task", { subject: "x", logPath: "a.log" }, 60);
      const first = await verifier.verify("baram:task", token);
      expect(first).toMatchObject({ subject: "x", logPath: "a.log" });
      expect(await verifier.verify("baram:task", token)).toEqual(first);
      await expect(verifier.verify("baram:user", token)).rejects.toMatchObject(invalid);
      await expect(verifier.verify("baram:task", `${token.slice(0, -3)}AAA`)).rejects.toMatchObject(invalid);
      vi.setSystemTime(Date.now() + 60_000);
      await expect(verifier.verify("baram:task", token)).rejects.toMatchObject({ code: "token_expired" });
      expect(await verifier.verify("baram:task", token, 10)).toEqual(first);
      vi.setSystemTime(Date.now() + 10_000);
      await expect(verifier.verify("baram:task", token, 10)).rejects.toMatchObject({ code: "token_expired" });
    } finally {
      vi.useRealTimers();
    }
  });
});

test("of very many good tokens each stays good", async () => {
  const signed = await Promise.all(Array.from({ length: 6_000 }, (_, at) => tokens.sign("baram:task", { subject: `${at}` }, 60)));
  for (const [, verifier] of verifiers)
    for (const _ of [1, 2])
      for (const [at, token] of signed.entries()) expect((await verifier.verify("baram:task", token)).subject).toBe(`${at}`);
});
