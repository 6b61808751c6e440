/**
 * Fails running tries that are silent for too long, but not for an outage that is the platform's: while no heartbeat could arrive, a
 * silent try may be healthy. It then gets its full time again after the outage. Outages that can be known:
 * - the database was away: nobody is failed;
 * - the execution API is away: no API server lives, or it answers neither this scheduler nor any worker; nothing is launched either;
 * - the API server has just started;
 * - nobody is heard of, on two hosts or more: the network, or what stands before the API.
 * In all but the first, workers stop what they run after `apiOutageSec` without the API. A try that is silent for longer than that is failed
 * whatever the reason.
 */
import { type SignsOfLife, signsOfLife, silentTries, type TryFacts } from "../store/index.ts";
import { failTries } from "./fail-tries.ts";
import { ACTIVE, forEachBatch } from "./recover.ts";
import type { SchedulerOptions, SchedulerResources } from "./resources.ts";

export type SilenceWatch = { check(): Promise<number> };

/** `onBack`: the execution API is back, so what waited can be launched. */
export function createSilenceWatch(resources: SchedulerResources, options: SchedulerOptions, onBack: () => void): SilenceWatch {
  const { clock, logger, outage, store } = resources;
  const silentMs = options.silentTrySec * 1_000;
  // One or two late heartbeats of an API server mean nothing, however seldom it gives them.
  const apiSilentSec = Math.max(options.silentTrySec / 2, 3 * options.apiBeatSec);
  const longestGapMs = options.silentTryCheckSec * 1_000 + silentMs / 4;
  let checkedAt = clock.now();
  let databaseHoldUntil = 0;
  let probesFailed = 0;

  /** One probe may have met a busy moment. */
  async function probe(): Promise<string | null> {
    const reason = await resources.probeApi();
    probesFailed = reason === null ? 0 : probesFailed + 1;
    return probesFailed >= 2 ? reason : null;
  }

  function noteOutage(why: string | null): void {
    const wasOn = outage.isOn;
    outage.isOn = why !== null;
    resources.metrics.gauge("scheduler.execution_api_away", [{ labels: {}, value: outage.isOn ? 1 : 0 }]);
    if (outage.isOn && !wasOn)
      logger.error(
        { reason: why, apiOutageSec: options.apiOutageSec },
        "the execution API is away: nothing is launched, and running tries go on until it is back",
      );
    if (!outage.isOn && wasOn) {
      logger.info({}, "the execution API is back: launches go on, and running tries get their full time to be heard of");
      onBack();
    }
  }

  return {
    async check() {
      const [signs, unreachable] = await Promise.all([signsOfLife(store, apiSilentSec), probe()]);
      const now = clock.now();
      if (now - checkedAt > longestGapMs) {
        databaseHoldUntil = now + silentMs;
        logger.warn(
          { gapSec: Math.round((now - checkedAt) / 1_000) },
          "the database was away; silent tries get their full time again",
        );
      }
      checkedAt = now;
      noteOutage(whyAway(signs, apiSilentSec) ?? (isAnyoneHeard(signs, options) ? null : unreachable));
      if (outage.isOn || isNobodyHeard(signs, options)) outage.spareUntilMs = now + silentMs;
      if (now < databaseHoldUntil || signs.serverUpSec < options.silentTrySec) return 0;
      const isNew = signs.apiUpSec !== null && signs.apiUpSec < options.silentTrySec;
      const graceSec = now < outage.spareUntilMs || isNew ? options.apiOutageSec : 0;
      return failSilentTries(resources, options, options.silentTrySec + graceSec);
    },
  };
}

function whyAway(signs: SignsOfLife, apiSilentSec: number): string | null {
  // One that was stopped normally is away at once.
  if (signs.apiServers > 0 && signs.apiUpSec === null)
    return `no API server runs: all were stopped, or gave no heartbeat for ${apiSilentSec} s`;
  return null;
}

/** Or nothing runs. A scheduler that cannot reach an API that workers reach has lost only its own way to it. */
function isAnyoneHeard({ heardSecAgo }: SignsOfLife, { silentTrySec }: SchedulerOptions): boolean {
  return heardSecAgo === null || heardSecAgo <= silentTrySec / 4;
}

function isNobodyHeard({ hosts, heardSecAgo }: SignsOfLife, { silentTrySec }: SchedulerOptions): boolean {
  return hosts >= 2 && heardSecAgo !== null && heardSecAgo > silentTrySec / 2;
}

export async function failSilentTries(
  resources: SchedulerResources,
  options: SchedulerOptions,
  silentForSec = options.silentTrySec,
): Promise<number> {
  const guard = { leaving: ACTIVE, silentForSec };
  const reasonOf = (one: TryFacts) => {
    const place = `${one.hostname ?? "an unknown host"}, process ${one.pid ?? "unknown"}`;
    return `no heartbeat for ${Math.round(one.silentForSec ?? silentForSec)} s from ${place}: the worker died or cannot reach the API`;
  };
  let count = 0;
  await forEachBatch(
    (after) => silentTries(resources.store, silentForSec, after),
    async (silent) => {
      const failed = await failTries(resources, options, silent, guard, reasonOf);
      // Its worker may only be cut off from the API. Where the executor can stop it, it does not go on beside the next try.
      for (const one of failed) resources.executors.get(one.executor)?.revoke(one.id);
      count += failed.length;
    },
  );
  return count;
}
