import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { BaramError } from "../platform/index.ts";

/** Encrypts what is secret at rest. Stored form: 1 byte version, 12 bytes nonce, 16 bytes tag, ciphertext (AES-256-GCM). */
export type Cipher = { encrypt(text: string): Buffer; decrypt(stored: Buffer): string };

const VERSION = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** `key`: 32 bytes. */
export function createCipher(key: Buffer): Cipher {
  return {
    encrypt(text) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", key, nonce);
      const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
      return Buffer.concat([Buffer.from([VERSION]), nonce, cipher.getAuthTag(), body]);
    },
    decrypt(stored) {
      try {
        if (stored[0] !== VERSION) throw new Error(`unknown version ${stored[0]}`);
        const nonce = stored.subarray(1, 1 + NONCE_BYTES);
        const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
        decipher.setAuthTag(stored.subarray(1 + NONCE_BYTES, 1 + NONCE_BYTES + TAG_BYTES));
        return Buffer.concat([decipher.update(stored.subarray(1 + NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString("utf8");
      } catch (error) {
        throw new BaramError(
          "decryption_failed",
          "A secret cannot be decrypted: it was stored under another key, or was changed. Set [core] encryption_key to the key it was stored under.",
          {},
          error,
        );
      }
    },
  };
}
