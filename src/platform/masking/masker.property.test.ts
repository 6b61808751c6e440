/** Random secrets in all encodings, in random texts, cut and split at random places: nothing of them is left to read. */
import { inspect } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createLineSplitter, truncateLine } from "../line-splitter.ts";
import { createMasker } from "./index.ts";

/** A piece of this length is as good as the secret. */
const PIECE = 8;

const plain = fc.string({ minLength: 5, maxLength: 60, unit: "grapheme-ascii" });
const wild = fc.string({ minLength: 5, maxLength: 40, unit: "grapheme" });
const quoted = fc.string({ minLength: 5, maxLength: 30, unit: fc.constantFrom(...`ab"'\\/<>&+ %=ö\n`) });
/** As random as a key, of any length. */
const long = fc.tuple(fc.integer(), fc.integer({ min: 5, max: 4_000 })).map(([seed, length]) => {
  let state = seed;
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return String.fromCharCode(33 + ((state >>> 16) % 94));
  }).join("");
});
const secrets = fc.oneof(plain, wild, quoted, long).filter((secret) => secret.trim().length >= 5);

/** Of a secret that is written line by line, lines below the minimum length are let be. */
const streamed = secrets.filter((secret) => !/[\r\n]/.test(secret));

const bytes = (text: string) => Buffer.from(text, "utf8");
/** Each with a context in which the encoding is at home. */
const ENCODINGS: Readonly<Record<string, (secret: string, around: string) => string>> = {
  plain: (secret) => secret,
  json: (secret, around) => JSON.stringify({ [around]: secret }),
  jsonInJson: (secret, around) => JSON.stringify({ body: JSON.stringify({ [around]: secret }) }),
  inspected: (secret) => inspect({ secret }, { breakLength: Number.POSITIVE_INFINITY }),
  component: (secret) => encodeURIComponent(secret),
  form: (secret, around) => new URLSearchParams({ a: around, b: secret }).toString(),
  userinfo: (secret) => {
    const url = new URL("https://host/path");
    url.username = "user";
    url.password = secret;
    return String(url);
  },
  basic: (secret, around) => `Basic ${bytes(`${around}:${secret}`).toString("base64")}`,
  base64: (secret, around) => bytes(`${around}${secret}${around}`).toString("base64"),
  base64url: (secret, around) => bytes(`${around}${secret}`).toString("base64url"),
  hex: (secret) => bytes(secret).toString("hex"),
  HEX: (secret, around) => bytes(`${around}${secret}`).toString("hex").toUpperCase(),
  html: (secret) =>
    secret.replace(/[&<>"']/g, (one) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[one] ?? "&#39;"),
};

/** All pieces of this length; of a long text a sample. */
function piecesOf(form: string, length: number): Set<string> {
  const pieces = new Set<string>();
  const step = Math.max(1, Math.ceil(form.length / 300));
  for (let at = 0; at + length <= form.length; at += step) pieces.add(form.slice(at, at + length));
  return pieces;
}

/** What must not be read: the secret, and pieces of its text in this encoding that the surroundings do not have anyway. */
function leaksIn(shown: string, secret: string, clean: string): string[] {
  const forms = [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    new URLSearchParams({ a: secret }).toString().slice(2),
    bytes(secret).toString("hex"),
    bytes(secret).toString("hex").toUpperCase(),
    ...[0, 1, 2].map((before) =>
      Buffer.concat([Buffer.alloc(before), bytes(secret)])
        .toString("base64")
        .slice(4, -4),
    ),
  ];
  const found: string[] = [];
  for (const form of forms)
    for (const piece of piecesOf(form, Math.min(PIECE, form.length)))
      if (piece.length >= 5 && !clean.includes(piece) && !/^\s*$/.test(piece) && shown.includes(piece)) found.push(piece);
  return found;
}

const embedding = fc.string({ maxLength: 30, unit: fc.constantFrom(..."zyxw ") });
const runs = { numRuns: 300 };

test("no encoding of a secret is left in a text", () => {
  fc.assert(
    fc.property(secrets, embedding, embedding, fc.constantFrom(...Object.keys(ENCODINGS)), (secret, before, after, name) => {
      const masker = createMasker();
      masker.add(secret);
      const encode = ENCODINGS[name] ?? String;
      const shown = masker.mask(`${before}${encode(secret, before)}${after}`);
      const clean = `${before}${encode("", before)}${after}`;
      expect(leaksIn(shown, secret, clean), `${name}: ${shown}`).toEqual([]);
    }),
    runs,
  );
});

test("nor of a secret that a line's limit, a field's limit or a label's limit cuts anywhere", () => {
  fc.assert(
    fc.property(
      secrets,
      embedding,
      fc.constantFrom(...Object.keys(ENCODINGS)),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (secret, before, name, share) => {
        const masker = createMasker();
        masker.add(secret);
        const text = `${before}${(ENCODINGS[name] ?? String)(secret, before)}`;
        const clean = `${before}${(ENCODINGS[name] ?? String)("", before)}`;
        const at = Math.floor(text.length * share);
        const cuts = [
          masker.mask(`${text.slice(0, at)}… (cut; ${text.length} characters)`),
          masker.mask(truncateLine(text, Math.floor(Buffer.byteLength(text) * share))),
          masker.mask(text.slice(0, at), true),
        ];
        for (const shown of cuts) expect(leaksIn(shown, secret, clean), `${name}: ${shown}`).toEqual([]);
      },
    ),
    runs,
  );
});

test("nor of one that arrives in pieces of a stream, in lines of limited length", () => {
  fc.assert(
    fc.property(
      streamed,
      embedding,
      fc.constantFrom("plain", "json", "basic", "component", "hex"),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 }),
      fc.integer({ min: 1, max: 5_000 }),
      (secret, before, name, sizes, maxBytes) => {
        const masker = createMasker();
        masker.add(secret);
        const shown: string[] = [];
        const lines = createLineSplitter(maxBytes, (line) => shown.push(masker.mask(line)));
        const stream = bytes(`${before}${(ENCODINGS[name] ?? String)(secret, before)}\nnext line\n`);
        for (let at = 0, n = 0; at < stream.length; n++) {
          const size = sizes[n % sizes.length] ?? 1;
          lines.push(stream.subarray(at, at + size));
          at += size;
        }
        lines.end();
        const clean = `${before}${(ENCODINGS[name] ?? String)("", before)} next line [line truncated: more bytes]`;
        expect(leaksIn(shown.join("\n"), secret, clean), `${name}: ${shown.join("\n")}`).toEqual([]);
      },
    ),
    runs,
  );
});

test("nor in JSON at any depth, and what is no secret stays as it is", () => {
  fc.assert(
    fc.property(secrets, fc.jsonValue(), fc.string({ maxLength: 10 }), (secret, value, key) => {
      const masker = createMasker();
      masker.add(secret);
      const shown = JSON.stringify(masker.redact({ a: [value, { [`${key}${secret}`]: `x${secret}y` }] }));
      expect(shown.includes(JSON.stringify(secret).slice(1, -1)), shown).toBe(false);
      expect(createMasker().redact("nothing known")).toBe("nothing known");
    }),
    runs,
  );
});
