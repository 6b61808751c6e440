import { initial } from "./000001-initial.ts";
import { orderedCandidates } from "./000002-ordered-candidates.ts";
import { backfill } from "./000003-backfill.ts";
import { plannedRuns } from "./000004-planned-runs.ts";
import { emailRequest } from "./000005-email-request.ts";
import { runRecovery } from "./000006-run-recovery.ts";
import { deferredIndex } from "./000007-deferred-index.ts";
import { deferral } from "./000008-deferral.ts";
import { taskMap } from "./000009-task-map.ts";
import { worker } from "./000010-worker.ts";
import { oldResults } from "./000011-old-results.ts";
import { wideTasks } from "./000012-wide-tasks.ts";
import { deferredTasks } from "./000013-deferred-tasks.ts";
import { setAside } from "./000014-set-aside.ts";
import { instanceCount } from "./000015-instance-count.ts";
import { readIndexes } from "./000016-read-indexes.ts";
import { dagFileListing } from "./000017-dag-file-listing.ts";
import { stopReason } from "./000018-stop-reason.ts";
import { userTokenVersion } from "./000019-user-token-version.ts";
import { executorCheck } from "./000020-executor-check.ts";
import type { Migration } from "./migration.ts";

/** Append only: a migration that was released is never edited. */
export const MIGRATIONS: readonly Migration[] = [
  initial,
  orderedCandidates,
  backfill,
  plannedRuns,
  emailRequest,
  runRecovery,
  deferredIndex,
  deferral,
  taskMap,
  worker,
  oldResults,
  wideTasks,
  deferredTasks,
  setAside,
  instanceCount,
  readIndexes,
  dagFileListing,
  stopReason,
  userTokenVersion,
  executorCheck,
];
