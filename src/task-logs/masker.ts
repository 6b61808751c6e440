/** Shorter secrets are not masked: hiding every "a" would make the log unreadable (Airflow's rule). */
const SECRET_MIN_LENGTH = 5;
const SENSITIVE_NAME =
  /(passw(or)?d|secret|token|api_?key|apikey|authorization|passphrase|private_?key|access_?key|credential|keyfile|connection_string)/i;

export function isSensitiveName(name: string): boolean {
  return SENSITIVE_NAME.test(name);
}

/** Replaces known secrets by `***`, both in plain form and encoded: percent-encoded, base64, JSON, line by line. */
export type Masker = { add(secret: string): void; mask(text: string): string };

export function createMasker(): Masker {
  const known = new Set<string>();
  let pattern: RegExp | null = null;
  return {
    add(secret) {
      for (const form of formsOf(secret)) {
        if (form.length < SECRET_MIN_LENGTH || known.has(form)) continue;
        known.add(form);
        pattern = null;
      }
    },
    mask(text) {
      if (known.size === 0) return text;
      // Longest first, so that a secret that contains another one is masked completely.
      pattern ??= new RegExp(
        [...known]
          .sort((a, b) => b.length - a.length)
          .map(escapePattern)
          .join("|"),
        "g",
      );
      return text.replace(pattern, "***");
    },
  };
}

function formsOf(secret: string): string[] {
  const lines = secret.split(/\r?\n/).filter((line) => line.trim().length >= SECRET_MIN_LENGTH);
  const base64 = Buffer.from(secret, "utf8").toString("base64").replace(/=+$/, "");
  return [secret, ...(lines.length > 1 ? lines : []), encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1), base64];
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
