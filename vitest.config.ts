import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { slowestFiles } from "./tests/support/slowest-files.ts";

const root = fileURLToPath(new URL(".", import.meta.url));

/** Tests that need other servers than PostgreSQL, or long runs: the second tier, `npm run test:systems`. */
const SYSTEMS = "**/*.systems.test.ts";

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
    reporters: ["default", slowestFiles],
    projects: [
      {
        extends: true,
        test: {
          name: "rooms",
          // A worker loads the modules once and not for each file, which was half of the time: a test leaves nothing behind in them.
          isolate: false,
          include: ["src/**/*.test.ts"],
          exclude: [SYSTEMS],
          // These files wait for PostgreSQL about as long as they compute: three or four are faster than two on two cores.
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      {
        // Whole engines with processes of their own, which wait most of the time: three at once.
        extends: true,
        test: {
          name: "engine",
          isolate: false,
          include: ["tests/**/*.test.ts"],
          exclude: [SYSTEMS],
          // Many of them start twenty processes one after another, which a busy machine takes long for.
          testTimeout: 60_000,
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: "systems",
          include: [`src/${SYSTEMS}`, `tests/${SYSTEMS}`],
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
