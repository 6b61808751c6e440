import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { makeWorkload } from "../../../tests/support/aws/workloads.ts";
import type { ExecuteTask } from "../../contracts/index.ts";
import { silentLogger } from "../../platform/index.ts";
import { createCapacityWait } from "./capacity-wait.ts";
import { createLaunchQueue, type Launch, type LaunchQueueOptions } from "./launch-queue.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const LAUNCHED: Launch = { kind: "launched", externalExecutorId: "arn" };
const answered = (name: string) =>
  Object.assign(new Error("said"), { name, $fault: "client", $metadata: { httpStatusCode: 400 } });
const REFUSED = answered("ConnectionRefused");
const AWAY = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
const EXPIRED = answered("ExpiredTokenException");
const DENIED = answered("AccessDeniedException");
/** As the SDK throws it for an answer 200 whose body was cut. */
const CUT = Object.assign(new SyntaxError("Unterminated string in JSON"), { $metadata: { httpStatusCode: 200 }, $response: {} });
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

type Told = { kind: "launched" | "refused" | "waiting" | "health"; id: string; atMs: number; said?: unknown; isFinal?: boolean };

/** A queue whose requests are answered by `answer`, in virtual time. */
function open(answer: (workload: ExecuteTask, attempt: number) => Promise<Launch>, own: Partial<LaunchQueueOptions> = {}) {
  const startMs = Date.now();
  const told: Told[] = [];
  const asked: { id: string; atMs: number }[] = [];
  const add = (kind: Told["kind"], id: string, more: object = {}) => told.push({ kind, id, atMs: Date.now() - startMs, ...more });
  const renew = vi.fn(async () => {});
  const queue = createLaunchQueue({
    async launch(workload) {
      const task = workload as ExecuteTask;
      asked.push({ id: task.ti.id, atMs: Date.now() - startMs });
      return answer(task, asked.filter(({ id }) => id === task.ti.id).length);
    },
    find: null,
    renew,
    maxAttempts: 3,
    perSec: 1_000,
    retryDelayMs: (failed) => Math.min(4 ** failed, 120) * 1_000,
    outagePauseMs: (signs) => Math.min(2 ** (signs - 1) * 1_000, 15_000),
    capacity: createCapacityWait({ maxMs: 600_000 }),
    tellEveryMs: 30_000,
    settleMs: 60_000,
    on: {
      launched: (workload, said) => add("launched", (workload as ExecuteTask).ti.id, { said }),
      refused: (workload, said, isFinal) => add("refused", (workload as ExecuteTask).ti.id, { said, isFinal }),
      waiting: (some) => {
        for (const { workload, reason } of some) add("waiting", (workload as ExecuteTask).ti.id, { said: reason });
      },
      health: (said) => add("health", "", { said }),
    },
    logger: silentLogger,
    ...own,
  });
  const of = (workload: ExecuteTask) => told.filter(({ id }) => id === workload.ti.id);
  return { queue, told, asked, renew, of, launched: () => told.filter(({ kind }) => kind === "launched") };
}
const crowd = (count: number) => Array.from({ length: count }, () => makeWorkload());

describe("an outage", () => {
  test.each([
    ["no connection", AWAY],
    ["expired credentials", EXPIRED],
    ["answers that are cut", CUT],
  ])(
    "%s for 0.1 s, which 16 requests meet, stops launches for a second at most, and renews the client once",
    async (_what, error) => {
      const start = Date.now();
      const { queue, launched, told, renew } = open(async () => {
        await wait(Math.random() * 50);
        if (Date.now() - start < 100) throw error;
        return LAUNCHED;
      });
      for (const one of crowd(40)) queue.add(one);
      await vi.advanceTimersByTimeAsync(1_300);
      expect(launched()).toHaveLength(40);
      expect(renew).toHaveBeenCalledTimes(1);
      expect(told.filter(({ kind }) => kind === "health").map(({ said }) => said)).toEqual([false, true]);
    },
  );

  test("of ten minutes is over for launches within 15 s of its end, and no try is lost or counted", async () => {
    const start = Date.now();
    const { queue, launched, told } = open(async () => {
      if (Date.now() - start < 600_000) throw AWAY;
      return LAUNCHED;
    });
    for (const one of crowd(40)) queue.add(one);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(launched()).toHaveLength(0);
    expect(queue.isHealthy()).toBe(false);
    await vi.advanceTimersByTimeAsync(15_100);
    expect(launched()).toHaveLength(40);
    expect(told.filter(({ kind }) => kind === "refused")).toEqual([]);
  });

  test("answers that take 25 s delay launches by no more than that, also of what was asked meanwhile", async () => {
    const start = Date.now();
    const { queue, launched, told } = open(async () => {
      if (Date.now() - start < 60_000) await wait(25_000);
      return LAUNCHED;
    });
    for (const one of crowd(40)) queue.add(one);
    await vi.advanceTimersByTimeAsync(76_000);
    expect(launched()).toHaveLength(40);
    expect(told.filter(({ kind }) => kind === "health")).toEqual([]);
  });

  test("requests that time out together are one sign of it, and the pauses grow by the signs after it", async () => {
    const { queue, asked } = open(async () => {
      await wait(30_000);
      throw Object.assign(new Error("a request has exceeded 30000 ms"), { name: "TimeoutError" });
    });
    for (const one of crowd(40)) queue.add(one);
    await vi.advanceTimersByTimeAsync(30_000 * 5);
    const times = [...new Set(asked.map(({ atMs }) => atMs))];
    expect(asked.filter(({ atMs }) => atMs === 0)).toHaveLength(16);
    const pauses = times.slice(1).map((atMs, at) => atMs - (times[at] ?? 0) - 30_000);
    for (const [at, longestMs] of [1_000, 2_000, 4_000].entries()) {
      expect(pauses[at]).toBeGreaterThanOrEqual(longestMs / 2);
      expect(pauses[at]).toBeLessThanOrEqual(longestMs);
    }
  });

  test("of which requests never hear, for example while they wait for credentials, does not keep their slots", async () => {
    const start = Date.now();
    const { queue, launched } = open(async () => (Date.now() - start < 30_000 ? new Promise<Launch>(() => {}) : LAUNCHED));
    for (const one of crowd(40)) queue.add(one);
    await vi.advanceTimersByTimeAsync(62_000);
    expect(launched()).toHaveLength(40);
  });

  test("one that outlives all its workloads ends with the next one", async () => {
    let isAway = true;
    const { queue, launched } = open(async () => {
      if (isAway) throw AWAY;
      return LAUNCHED;
    });
    const [first, second] = [makeWorkload(), makeWorkload()];
    queue.add(first);
    await vi.advanceTimersByTimeAsync(100);
    expect(queue.isHealthy()).toBe(false);
    queue.remove(first.ti.id);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(queue.isHealthy()).toBe(true);
    isAway = false;
    queue.add(second);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(launched()).toHaveLength(1);
  });

  test("is the reason of all that wait, told once, and only if it lasts", async () => {
    const start = Date.now();
    const { queue, of } = open(async () => {
      if (Date.now() - start < 300_000) throw AWAY;
      return LAUNCHED;
    });
    const [one, other] = [makeWorkload(), makeWorkload()];
    queue.add(one);
    queue.add(other);
    await vi.advanceTimersByTimeAsync(400_000);
    for (const workload of [one, other]) {
      const reasons = of(workload).flatMap(({ kind, said }) => (kind === "waiting" && said !== null ? [String(said)] : []));
      expect(reasons).toEqual([expect.stringMatching(/ECONNREFUSED; it is launched when AWS can be asked again/)]);
    }
  });
});

describe("a workload that waits", () => {
  test("is reported as waiting as long as it does, however long, and no more once it is launched", async () => {
    const { queue, of } = open(async () => LAUNCHED, { perSec: 0.01 });
    const [first, second] = [makeWorkload(), makeWorkload()];
    queue.add(first);
    queue.add(second);
    await vi.advanceTimersByTimeAsync(95_000);
    const reports = of(second).map(({ kind, said }) => [kind, said]);
    expect(reports).toEqual([
      ["waiting", "it waits for its turn to be launched, with 0 others"],
      ["waiting", null],
      ["waiting", null],
    ]);
    await vi.advanceTimersByTimeAsync(200_000);
    expect(of(second).at(-1)?.kind).toBe("launched");
    expect(of(first).map(({ kind }) => kind)).toEqual(["launched"]);
  });

  test("for capacity is launched when there is some, without an attempt, at least once a minute, and its reason is told once", async () => {
    const { queue, of, asked } = open(async (_workload, attempt) =>
      attempt <= 12 ? { kind: "no_capacity", reason: "RESOURCE:MEMORY" } : LAUNCHED,
    );
    const one = makeWorkload();
    queue.add(one);
    await vi.advanceTimersByTimeAsync(600_000);
    expect(of(one).at(-1)?.kind).toBe("launched");
    const times = asked.map(({ atMs }) => atMs);
    for (const [at, atMs] of times.slice(1).entries()) expect(atMs - (times[at] ?? 0)).toBeLessThanOrEqual(60_000);
    const reasons = of(one).flatMap(({ kind, said }) => (kind === "waiting" && said !== null ? [String(said)] : []));
    expect(reasons).toEqual([expect.stringMatching(/no capacity for it now \(RESOURCE:MEMORY\)/)]);
    expect(queue.isHealthy()).toBe(true);
  });

  test("for capacity fails when its time is over, not before, with all that AWS said; the time goes on over its ids", async () => {
    const { queue, of } = open(async (_workload, attempt) => ({
      kind: "no_capacity",
      reason: attempt % 2 === 0 ? "RESOURCE:CPU" : "RESOURCE:MEMORY",
    }));
    const one = makeWorkload();
    queue.add(one);
    await vi.advanceTimersByTimeAsync(300_000);
    queue.remove(one.ti.id);
    const again = makeWorkload({ ...one.ti, id: makeWorkload().ti.id });
    queue.add(again);
    await vi.advanceTimersByTimeAsync(299_000);
    expect(of(again).map(({ kind }) => kind)).not.toContain("refused");
    await vi.advanceTimersByTimeAsync(2_000);
    expect(of(again).at(-1)).toMatchObject({ kind: "refused", isFinal: false });
    expect(String(of(again).at(-1)?.said)).toMatch(/RESOURCE:(CPU|MEMORY); and before: RESOURCE:(MEMORY|CPU)/);
  });

  test("for another attempt tells each reason, and its refusal names them all", async () => {
    const { queue, of } = open(async (_workload, attempt) => {
      throw attempt === 1 ? DENIED : REFUSED;
    });
    const one = makeWorkload();
    queue.add(one);
    await vi.advanceTimersByTimeAsync(60_000);
    const told = of(one).map(({ kind, said }) => `${kind}: ${said}`);
    expect(told).toEqual([
      expect.stringMatching(/^waiting: .*attempt 1 of 3: AccessDeniedException: said/),
      expect.stringMatching(/^waiting: .*attempt 2 of 3: ConnectionRefused: said/),
      expect.stringMatching(
        /^refused: .*in 3 attempts; it said last: ConnectionRefused: said; and before: AccessDeniedException/,
      ),
    ]);
  });
});

test("what AWS cannot take is refused at once and finally", async () => {
  const tooLarge = Object.assign(new Error("Request must be smaller"), {
    name: "RequestTooLargeException",
    $fault: "client",
    $metadata: { httpStatusCode: 413 },
  });
  const { queue, of, asked } = open(async () => {
    throw tooLarge;
  });
  const one = makeWorkload();
  queue.add(one);
  await vi.advanceTimersByTimeAsync(0);
  expect(of(one)).toMatchObject([{ kind: "refused", isFinal: true }]);
  expect(asked).toHaveLength(1);
});

describe("a workload that may have been launched", () => {
  /** The first request has no readable answer, all others are refused. */
  const once = async (_workload: ExecuteTask, attempt: number): Promise<Launch> => {
    throw attempt === 1 ? CUT : DENIED;
  };

  test("and is refused then is looked up, and found it is launched", async () => {
    const { queue, of } = open(once, { find: async () => "arn-found" });
    const one = makeWorkload();
    queue.add(one);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(of(one).at(-1)).toMatchObject({ kind: "launched", said: "arn-found" });
    expect(of(one).map(({ kind }) => kind)).not.toContain("refused");
  });

  test("is looked up until AWS would certainly show it, and refused only then", async () => {
    const find = vi.fn(async () => null);
    const { queue, of } = open(once, { find, maxAttempts: 1 });
    const one = makeWorkload();
    queue.add(one);
    await vi.advanceTimersByTimeAsync(59_000);
    expect(find.mock.calls.length).toBeGreaterThan(3);
    expect(of(one).map(({ kind }) => kind)).not.toContain("refused");
    expect(queue.size()).toBe(1);
    await vi.advanceTimersByTimeAsync(15_000);
    expect(of(one).at(-1)).toMatchObject({ kind: "refused", said: expect.stringContaining("AccessDeniedException") as string });
    expect(queue.size()).toBe(0);
  });

  test("is not refused while AWS cannot be asked for it, and if it may not be asked, the refusal says so", async () => {
    let error: Error = AWAY;
    const { queue, of } = open(once, {
      maxAttempts: 1,
      find: async () => {
        throw error;
      },
    });
    const one = makeWorkload();
    queue.add(one);
    await vi.advanceTimersByTimeAsync(300_000);
    expect(of(one).map(({ kind }) => kind)).not.toContain("refused");
    error = DENIED;
    await vi.advanceTimersByTimeAsync(20_000);
    expect(of(one).at(-1)?.said).toMatch(/cannot be looked up: AccessDeniedException/);
    expect(queue.isHealthy()).toBe(true);
  });

  test("without a look-up has the time in which its worker reports", async () => {
    const { queue, of } = open(once, { maxAttempts: 1 });
    const one = makeWorkload();
    queue.add(one);
    await vi.advanceTimersByTimeAsync(59_000);
    expect(of(one).map(({ kind }) => kind)).not.toContain("refused");
    await vi.advanceTimersByTimeAsync(2_000);
    expect(of(one).at(-1)?.kind).toBe("refused");
  });

  test("by another scheduler, which is dead, is looked up too", async () => {
    const { queue, of } = open(async () => Promise.reject(DENIED), { find: async () => "arn-found", maxAttempts: 1 });
    const one = makeWorkload();
    queue.add(one, true);
    await vi.advanceTimersByTimeAsync(0);
    expect(of(one).map(({ kind }) => kind)).toEqual(["launched"]);
  });

  test.each([
    ["the body cut", CUT],
    ["a reset", Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET" })],
    ["a time-out", Object.assign(new Error("has exceeded 30000 ms"), { name: "TimeoutError" })],
    ["a server error", Object.assign(answered("ServerException"), { $metadata: { httpStatusCode: 503 } })],
  ])("by a request with %s is not returned at the end, also if it was in flight then", async (_what, error) => {
    const { queue } = open(async (workload) => {
      if (workload.ti.taskId === "early") throw error;
      await wait(5_000);
      throw error;
    });
    const [early, late] = [makeWorkload({ taskId: "early" }), makeWorkload({ taskId: "late" })];
    queue.add(late);
    queue.add(early);
    await vi.advanceTimersByTimeAsync(10);
    const closing = queue.close();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await closing).toEqual([]);
  });
});

test("at the end what was certainly not launched is returned, and a request that does not end is not awaited for ever", async () => {
  const { queue } = open(async (workload) => {
    if (workload.ti.taskId === "hangs") return new Promise<Launch>(() => {});
    throw workload.ti.taskId === "denied" ? DENIED : AWAY;
  });
  const [hangs, denied] = [makeWorkload({ taskId: "hangs" }), makeWorkload({ taskId: "denied" })];
  for (const one of [hangs, denied]) queue.add(one);
  await vi.advanceTimersByTimeAsync(10);
  const closing = queue.close();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await closing).toEqual([denied]);
});
