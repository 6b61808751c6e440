import { createSecretKey } from "node:crypto";
import jwt from "jsonwebtoken";
import { BaramError } from "./errors.ts";

/**
 * The subject of a token: a user of the public API, a workload that has not started, a running try, a queue worker and its
 * row, or the check of an executor.
 */
export type TokenAudience = "baram:user" | "baram:workload" | "baram:task" | "baram:worker" | "baram:probe";
export type TokenClaims = {
  subject: string;
  /** Of a user: the version of its tokens. Another one in the user's row ends them. */
  version?: string;
  /** For a running try or callback: the log that it may write, relative to the log folder. */
  logPath?: string;
  /** For a workload that goes through a broker: it is started only by a call that also carries a worker's own token. */
  needsWorker?: boolean;
  /** For a running try: its task has callbacks, which run when the try's end is stored. */
  hasCallbacks?: boolean;
  /** The try has ended, and the token is for its callbacks. */
  isForCallbacks?: boolean;
};

export type VerifiedToken = TokenClaims & {
  audience: TokenAudience;
  /** Seconds since the epoch. */
  expiresAt: number;
};

export type Tokens = {
  /** Every token has an end. */
  sign(audience: TokenAudience, claims: TokenClaims, ttlSec: number): Promise<string>;
  /**
   * `toleranceSec`: how long a token is still accepted after its expiry. Throws `token_invalid` (also for another audience) or
   * `token_expired`; a token without an end, as earlier releases signed, counts as expired.
   */
  verify(audience: TokenAudience | readonly TokenAudience[], token: string, toleranceSec?: number): Promise<VerifiedToken>;
};

const ALGORITHM = "HS256";
const AUDIENCES: readonly TokenAudience[] = ["baram:user", "baram:workload", "baram:task", "baram:worker", "baram:probe"];
/** Longer than any token that is signed here: three ids of 250 characters in its log's path. */
export const TOKEN_MAX_CHARS = 4_096;

/** Enough for all tries that run at the same time. */
const VERIFIED_MAX = 5_000;

/** The claims that are not in the standard, and their names in the payload. */
const FLAGS = { needsWorker: "worker", hasCallbacks: "cb", isForCallbacks: "ended" } as const;
type Flag = keyof typeof FLAGS;
const FLAG_NAMES = Object.keys(FLAGS) as Flag[];

/**
 * JSON web tokens, HMAC with SHA-256. Every task needs two signed tokens; one of them is presented with the try's end, with each
 * piece of its log and with each heartbeat. A signature is verified once, and not at all by the object that signed the token: so
 * the roles of one process share one object. The library works on the calling thread, 14 µs for a pair once it is warm. A library
 * on WebCrypto took 200 µs and a third of the API's time, since each MAC was computed on another thread.
 *
 * `now`: ms since the epoch.
 */
export function createTokens(secret: Uint8Array, now: () => number = () => Date.now()): Tokens {
  const key = createSecretKey(secret);
  /**
   * Keyed by the whole token, signature included. The older half is dropped at once: deleting the oldest entries of a Map one by
   * one walks over all deleted ones.
   */
  let verified = new Map<string, VerifiedToken>();
  let older = new Map<string, VerifiedToken>();
  const remember = (token: string, claims: VerifiedToken) => {
    verified.set(token, claims);
    if (verified.size < VERIFIED_MAX / 2) return;
    older = verified;
    verified = new Map();
  };

  /** Throws if its signature is wrong; its expiry is looked at by the caller. */
  function read(token: string): VerifiedToken {
    const known = verified.get(token) ?? older.get(token);
    if (known) return known;
    if (token.length > TOKEN_MAX_CHARS) throw new jwt.JsonWebTokenError("it is too long");
    const payload = jwt.verify(token, key, { algorithms: [ALGORITHM], ignoreExpiration: true });
    if (typeof payload === "string" || payload.sub === undefined || payload.iat === undefined)
      throw new jwt.JsonWebTokenError("a claim is missing");
    const audience = AUDIENCES.find((one) => one === payload.aud);
    if (audience === undefined) throw new jwt.JsonWebTokenError("its audience is unknown");
    const fresh: VerifiedToken = { audience, subject: payload.sub, expiresAt: payload.exp ?? 0 };
    if (typeof payload.ver === "string") fresh.version = payload.ver;
    if (typeof payload.log === "string") fresh.logPath = payload.log;
    for (const flag of FLAG_NAMES) if (payload[FLAGS[flag]] === true) fresh[flag] = true;
    remember(token, fresh);
    return fresh;
  }

  return {
    async sign(audience, { subject, version, logPath, ...flags }, ttlSec) {
      const iat = Math.floor(now() / 1_000);
      const expiresAt = iat + Math.floor(ttlSec);
      const payload: Record<string, unknown> = { sub: subject, aud: audience, iat, exp: expiresAt };
      const claims: VerifiedToken = { audience, subject, expiresAt };
      if (version !== undefined) payload.ver = claims.version = version;
      if (logPath !== undefined) payload.log = claims.logPath = logPath;
      for (const flag of FLAG_NAMES) if (flags[flag]) payload[FLAGS[flag]] = claims[flag] = true;
      const token = jwt.sign(payload, key, { algorithm: ALGORITHM });
      remember(token, claims);
      return token;
    },
    async verify(audience, token, toleranceSec = 0) {
      let claims: VerifiedToken;
      try {
        claims = read(token);
      } catch (error) {
        throw new BaramError("token_invalid", "The token is not valid here.", {}, error);
      }
      const isMeant = typeof audience === "string" ? audience === claims.audience : audience.includes(claims.audience);
      if (!isMeant) throw new BaramError("token_invalid", "The token is not valid here.");
      if (now() / 1_000 >= claims.expiresAt + toleranceSec)
        throw new BaramError("token_expired", "The token has expired. Ask for a new one.");
      return claims;
    },
  };
}
