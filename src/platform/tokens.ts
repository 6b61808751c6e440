import { errors, jwtVerify, SignJWT } from "jose";
import { BaramError } from "./errors.ts";

/** Who a token is for: a user of the public API, a workload not yet started, or a running try. */
export type TokenAudience = "baram:user" | "baram:workload" | "baram:task";
export type TokenClaims = { subject: string; role?: string };

export type Tokens = {
  /** `ttlSec` null = no expiry: a queued workload may wait for ever, and is good for one call only. */
  sign(audience: TokenAudience, claims: TokenClaims, ttlSec: number | null): Promise<string>;
  /** `toleranceSec`: how long after its end a token is still taken. Throws `token_invalid` (also for another audience) or `token_expired`. */
  verify(audience: TokenAudience, token: string, toleranceSec?: number): Promise<TokenClaims & { expiresAt: number | null }>;
};

export function createTokens(secret: Uint8Array): Tokens {
  return {
    sign(audience, claims, ttlSec) {
      const token = new SignJWT(claims.role === undefined ? {} : { role: claims.role })
        .setProtectedHeader({ alg: "HS256" })
        .setSubject(claims.subject)
        .setAudience(audience)
        .setIssuedAt();
      return (ttlSec === null ? token : token.setExpirationTime(Math.floor(Date.now() / 1_000) + ttlSec)).sign(secret);
    },
    async verify(audience, token, toleranceSec = 0) {
      try {
        const { payload } = await jwtVerify(token, secret, {
          audience,
          algorithms: ["HS256"],
          requiredClaims: ["sub", "iat"],
          clockTolerance: toleranceSec,
        });
        const role = typeof payload.role === "string" ? payload.role : undefined;
        return { subject: payload.sub ?? "", role, expiresAt: payload.exp ?? null };
      } catch (error) {
        if (error instanceof errors.JWTExpired)
          throw new BaramError("token_expired", "The token has expired. Ask for a new one.", {}, error);
        throw new BaramError("token_invalid", "The token is not valid here.", {}, error);
      }
    },
  };
}
