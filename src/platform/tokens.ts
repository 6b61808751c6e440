import { createSecretKey } from "node:crypto";
import jwt from "jsonwebtoken";
import { BaramError } from "./errors.ts";

/**
 * The subject of a token: a user of the public API, a workload that has not started, a running try, or a queue worker and its
 * row.
 */
export type TokenAudience = "baram:user" | "baram:workload" | "baram:task" | "baram:worker";
export type TokenClaims = {
  subject: string;
  /** Of a user: the version of its tokens. Another one in the user's row ends them. */
  version?: string;
  /** For a running try or callback: the log that it may write, relative to the log folder. */
  logPath?: string;
};

export type Tokens = {
  /** `ttlSec` null = no expiry: a queued workload may wait without limit, and its token is valid for one call only. */
  sign(audience: TokenAudience, claims: TokenClaims, ttlSec: number | null): Promise<string>;
  /**
   * `toleranceSec`: how long a token is still accepted after its expiry. Throws `token_invalid` (also for another audience) or
   * `token_expired`.
   */
  verify(audience: TokenAudience, token: string, toleranceSec?: number): Promise<TokenClaims & { expiresAt: number | null }>;
};

const ALGORITHM = "HS256";

/** Enough for all tries that run at the same time. */
const VERIFIED_MAX = 5_000;

type Verified = TokenClaims & { audience: TokenAudience; expiresAt: number | null };

/**
 * JSON web tokens, HMAC with SHA-256. Every task needs two signed tokens; one of them is presented with the try's end, with each
 * piece of its log and with each heartbeat. A signature is verified once, and not at all by the object that signed the token: so
 * the roles of one process share one object. The library works on the calling thread, 14 µs for a pair once it is warm. A library
 * on WebCrypto took 200 µs and a third of the API's time, since each MAC was computed on another thread.
 */
export function createTokens(secret: Uint8Array): Tokens {
  const key = createSecretKey(secret);
  /**
   * Keyed by the whole token, signature included. The older half is dropped at once: deleting the oldest entries of a Map one by
   * one walks over all deleted ones.
   */
  let verified = new Map<string, Verified>();
  let older = new Map<string, Verified>();
  const remember = (token: string, claims: Verified) => {
    verified.set(token, claims);
    if (verified.size < VERIFIED_MAX / 2) return;
    older = verified;
    verified = new Map();
  };

  function check(audience: TokenAudience, token: string, toleranceSec: number): Verified {
    const known = verified.get(token) ?? older.get(token);
    const endsSec = (known?.expiresAt ?? Number.POSITIVE_INFINITY) + toleranceSec;
    if (known?.audience === audience && Date.now() / 1_000 < endsSec) return known;
    const payload = jwt.verify(token, key, { algorithms: [ALGORITHM], audience, clockTolerance: toleranceSec });
    if (typeof payload === "string" || payload.sub === undefined || payload.iat === undefined)
      throw new jwt.JsonWebTokenError("a claim is missing");
    const version = typeof payload.ver === "string" ? payload.ver : undefined;
    const logPath = typeof payload.log === "string" ? payload.log : undefined;
    const fresh: Verified = { audience, subject: payload.sub, version, logPath, expiresAt: payload.exp ?? null };
    remember(token, fresh);
    return fresh;
  }

  return {
    async sign(audience, claims, ttlSec) {
      const { subject, version, logPath } = claims;
      const iat = Math.floor(Date.now() / 1_000);
      const expiresAt = ttlSec === null ? null : iat + Math.floor(ttlSec);
      const payload = {
        sub: subject,
        aud: audience,
        iat,
        ...(version === undefined ? {} : { ver: version }),
        ...(logPath === undefined ? {} : { log: logPath }),
        ...(expiresAt === null ? {} : { exp: expiresAt }),
      };
      const token = jwt.sign(payload, key, { algorithm: ALGORITHM });
      remember(token, { audience, subject, version, logPath, expiresAt });
      return token;
    },
    async verify(audience, token, toleranceSec = 0) {
      try {
        const { audience: _audience, ...claims } = check(audience, token, toleranceSec);
        return claims;
      } catch (error) {
        if (error instanceof jwt.TokenExpiredError)
          throw new BaramError("token_expired", "The token has expired. Ask for a new one.", {}, error);
        throw new BaramError("token_invalid", "The token is not valid here.", {}, error);
      }
    },
  };
}
