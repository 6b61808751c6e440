import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL("../..", import.meta.url));

export default defineConfig({
  root,
  resolve: {
    alias: [
      { find: /^baram$/, replacement: `${root}src/sdk/index.ts` },
      { find: /^baram\/operators$/, replacement: `${root}src/operators/index.ts` },
    ],
  },
  test: {
    pool: "forks",
    globalSetup: "tests/support/global-setup.ts",
    include: ["tests/chaos/all.chaos.ts"],
    hookTimeout: 60_000,
    fileParallelism: false,
    reporters: ["verbose"],
  },
});
