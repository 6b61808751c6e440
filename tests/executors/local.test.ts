import { describeExecutor } from "./contract.ts";
import type { ExecutorFacts } from "./rig.ts";

const FACTS: Omit<ExecutorFacts, "name"> = {
  running: "ends with its scheduler",
  keepsQueued: false,
  revokeStops: true,
  externalId: null,
  lossReason: /the supervisor process of \w+ ended \(SIGKILL\)/,
};

for (const name of ["LocalExecutor", "SequentialExecutor"])
  describeExecutor(name, async () => ({ facts: { name, ...FACTS }, environment: { BARAM__CORE__EXECUTOR: name } }));
