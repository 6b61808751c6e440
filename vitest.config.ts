import { defineConfig } from "vitest/config";

const root = new URL(".", import.meta.url).pathname;

export default defineConfig({
  resolve: {
    alias: [
      { find: /^baram$/, replacement: `${root}src/sdk/index.ts` },
      { find: /^baram\/operators$/, replacement: `${root}src/operators/index.ts` },
    ],
  },
  test: {
    globalSetup: "tests/support/global-setup.ts",
    include: ["src/**/*.test.ts", "tests/**/*.test.ts"],
    typecheck: { enabled: true, include: ["src/**/*.test-d.ts", "tests/**/*.test-d.ts"], tsconfig: "tsconfig.json" },
    testTimeout: 20_000,
    pool: "forks",
  },
});
