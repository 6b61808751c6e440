import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL(".", import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^baram$/, replacement: `${root}src/sdk/index.ts` },
      { find: /^baram\/operators$/, replacement: `${root}src/operators/index.ts` },
      { find: /^baram\/providers\/([a-z-]+)$/, replacement: `${root}src/providers/$1/index.ts` },
    ],
  },
  test: {
    pool: "forks",
    testTimeout: 20_000,
    hookTimeout: 60_000,
    globalSetup: "tests/support/global-setup.ts",
    projects: [
      {
        extends: true,
        test: {
          name: "rooms",
          include: ["src/**/*.test.ts"],
          typecheck: { enabled: true, include: ["src/**/*.test-d.ts"], tsconfig: "tsconfig.json" },
          sequence: { groupOrder: 0 },
        },
      },
      {
        // Whole systems with processes of their own and deadlines: one after the other, so that they do not slow each other.
        extends: true,
        test: { name: "systems", include: ["tests/**/*.test.ts"], fileParallelism: false, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
