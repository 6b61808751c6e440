/** The checker finds each kind of broken history, and no fault in a correct one. */
import { expect, test } from "vitest";
import type { DagSpec, Expectation, History, TraceLine, Transition } from "./history.ts";
import { ALL_INVARIANTS, checkHistory, type Invariant } from "./index.ts";

const RUN = "d/r";
const dag: DagSpec = {
  dagId: "d",
  schedule: null,
  maxActiveTasks: 2,
  maxActiveRuns: 1,
  tasks: [
    { taskId: "a", upstream: [], retries: 2, failTries: 1, durationMs: 1, pool: "few", poolSlots: 2 },
    { taskId: "b", upstream: ["a"], retries: 0, failTries: 0, durationMs: 1, maxActiveTisPerDag: 1 },
  ],
};
const expectation: Expectation = {
  dags: [dag],
  parallelism: 2,
  faultsEndedMs: 1_000,
  recoverySec: 10,
  lossReasons: [],
  isSteered: false,
  maxConnections: 10,
  intervalMs: 60_000,
};

type Mutable = { -readonly [K in keyof History]: History[K] extends readonly (infer R)[] ? R[] : History[K] };

const A1 = "aaaaaaaa-0000-4000-8000-000000000001";
const A2 = "aaaaaaaa-0000-4000-8000-000000000002";
const B1 = "bbbbbbbb-0000-4000-8000-000000000001";

/** The history of a run of two tasks, the first of which fails once. */
function wholeHistory(): Mutable {
  let seq = 0;
  const step = (
    taskId: string,
    oldId: string | null,
    newId: string | null,
    from: string | null,
    to: string | null,
    tryNumber: number,
  ) => {
    seq++;
    return {
      seq,
      atMs: seq * 10,
      txid: String(seq),
      run: RUN,
      instance: `${RUN}/${taskId}[-1]`,
      taskId,
      oldId,
      newId,
      from,
      to,
      tryNumber,
      pool: taskId === "a" ? "few" : "default_pool",
      poolSlots: taskId === "a" ? 2 : 1,
      jobId: 7,
    } satisfies Transition;
  };
  const line = (what: TraceLine["what"], task: string, tryId: string, tryNumber: number, monotonicMs: number): TraceLine => ({
    what,
    dag: "d",
    run: "r",
    task,
    mapIndex: -1,
    tryNumber,
    tryId,
    pid: 1,
    wallMs: monotonicMs,
    monotonicMs,
  });
  const pools = [
    { seq: ++seq, pool: "few", slots: 2, includeDeferred: false },
    { seq: ++seq, pool: "default_pool", slots: 128, includeDeferred: false },
  ];
  const runs = [{ seq: ++seq, atMs: 1, run: RUN, dagId: "d", from: null as string | null, to: "queued" as string | null }];
  runs.push({ seq: ++seq, atMs: 2, run: RUN, dagId: "d", from: "queued", to: "running" });
  const transitions = [
    step("a", null, A1, null, null, 0),
    step("b", null, B1, null, null, 0),
    step("a", A1, A1, null, "scheduled", 1),
    step("a", A1, A1, "scheduled", "queued", 1),
    step("a", A1, A1, "queued", "running", 1),
    step("a", A1, A2, "running", "up_for_retry", 1),
    step("a", A2, A2, "up_for_retry", "scheduled", 2),
    step("a", A2, A2, "scheduled", "queued", 2),
    step("a", A2, A2, "queued", "running", 2),
    step("a", A2, A2, "running", "success", 2),
    step("b", B1, B1, null, "scheduled", 1),
    step("b", B1, B1, "scheduled", "queued", 1),
    step("b", B1, B1, "queued", "running", 1),
    step("b", B1, B1, "running", "success", 1),
  ];
  runs.push({ seq: ++seq, atMs: 300, run: RUN, dagId: "d", from: "running", to: "success" });
  const ack = (op: "start" | "finish", tryId: string, outcome: string | null) => ({ op, tryId, outcome, status: 200, atMs: 1 });
  return {
    transitions,
    runTransitions: runs,
    poolChanges: pools,
    instances: [
      { run: RUN, instance: `${RUN}/a[-1]`, taskId: "a", id: A2, state: "success", tryNumber: 2, maxTries: 2 },
      { run: RUN, instance: `${RUN}/b[-1]`, taskId: "b", id: B1, state: "success", tryNumber: 1, maxTries: 0 },
    ],
    pastTries: [{ run: RUN, instance: `${RUN}/a[-1]`, id: A1, tryNumber: 1, state: "failed", reason: "Error: on purpose" }],
    runs: [{ run: RUN, dagId: "d", runType: "scheduled", state: "success", logicalDateMs: 60_000, endMs: 2_000 }],
    xcoms: [
      { instance: `${RUN}/a[-1]`, key: "return_value", value: { tryId: A2, tryNumber: 2 } },
      { instance: `${RUN}/b[-1]`, key: "return_value", value: { tryId: B1, tryNumber: 1 } },
    ],
    trace: [
      line("start", "a", A1, 1, 10),
      line("fail", "a", A1, 1, 20),
      line("start", "a", A2, 2, 30),
      line("end", "a", A2, 2, 40),
      line("start", "b", B1, 1, 50),
      line("end", "b", B1, 1, 60),
    ],
    clockOffsetMs: 0,
    acknowledged: [
      ack("start", A1, null),
      ack("finish", A1, "failed"),
      ack("start", A2, null),
      ack("finish", A2, "success"),
      ack("start", B1, null),
      ack("finish", B1, "success"),
    ],
    acknowledgedRuns: [RUN],
    owedCallbacks: [{ run: RUN, state: "success" }],
    callbacksRun: [RUN],
    samples: [{ atMs: 1, connections: 5, idleInTransactionSec: 0 }],
    logs: new Map([
      [`${RUN}/a[-1]#1`, `${A1} begins`],
      [`${RUN}/a[-1]#2`, `${A2} begins\n${A2} ends`],
      [`${RUN}/b[-1]#1`, `${B1} begins\n${B1} ends`],
    ]),
    serverLog: "",
  };
}

function brokenBy(spoil: (history: Mutable) => unknown, expect: Partial<Expectation> = {}): Invariant[] {
  const history = wholeHistory();
  spoil(history);
  return checkHistory(history, { ...expectation, ...expect })
    .filter((one) => one.faults.length > 0)
    .map((one) => one.invariant);
}

/** The nth transition of a task into a state. */
function into(history: Mutable, taskId: string, to: string, nth = 0): Transition {
  const found = history.transitions.filter((one) => one.taskId === taskId && one.to === to)[nth];
  if (!found) throw new Error(`no transition of ${taskId} to ${to}`);
  return found;
}

/** Inserts a transition before another one, and keeps the sequence numbers in order. */
function insertAfter(history: Mutable, before: Transition, change: Partial<Transition>): void {
  const at = history.transitions.indexOf(before);
  history.transitions.splice(at + 1, 0, { ...before, oldId: before.newId, from: before.to, ...change, seq: before.seq + 0.5 });
}

test("a whole history breaks nothing", () => {
  expect(brokenBy(() => {})).toEqual([]);
});

const BREAKS: readonly [Invariant, string, (history: Mutable) => unknown, Partial<Expectation>?][] = [
  ["I1", "a try that started twice", (h) => h.trace.push(h.trace[4] as TraceLine)],
  ["I1", "a try that ran without a lease", (h) => h.trace.push({ ...(h.trace[4] as TraceLine), tryId: A1.replace("1", "9") })],
  [
    "I1",
    "a try that wrote after its end was accepted",
    (h) => h.trace.push({ ...(h.trace[4] as TraceLine), what: "write", monotonicMs: 900 }),
  ],
  [
    "I1",
    "a try that wrote after its failure was accepted, beside its successor",
    (h) => h.trace.push({ ...(h.trace[0] as TraceLine), what: "write", monotonicMs: 135 }),
  ],
  ["I1", "clocks apart, by which a write came after an accepted end", (h) => Object.assign(h, { clockOffsetMs: 500 })],
  [
    "I1",
    "a try that was given its lease twice",
    (h) => {
      insertAfter(h, into(h, "b", "running"), { to: "queued" });
      insertAfter(h, h.transitions.find((one) => one.from === "running" && one.to === "queued") as Transition, { to: "running" });
    },
  ],
  ["I2", "a terminal state that was overwritten", (h) => insertAfter(h, into(h, "b", "success"), { to: "failed" })],
  [
    "I2",
    "a transition that leaves another state than was reached",
    (h) => Object.assign(into(h, "b", "running"), { from: "scheduled" }),
  ],
  ["I2", "a retry that kept its id", (h) => Object.assign(into(h, "a", "up_for_retry"), { newId: A1 })],
  ["I2", "a clear that nobody asked for", (h) => insertAfter(h, into(h, "b", "success"), { to: null })],
  ["I3", "a run that never ended", (h) => Object.assign(h.runs[0] ?? {}, { state: "running" })],
  ["I3", "an instance that hangs", (h) => Object.assign(h.instances[1] ?? {}, { state: "queued" })],
  ["I3", "an end that is not the DAG's", (h) => Object.assign(h.instances[1] ?? {}, { state: "skipped" })],
  ["I3", "a callback that was given up", (h) => Object.assign(h.owedCallbacks[0] ?? {}, { state: "failed" })],
  ["I3", "a callback that never ran", (h) => h.callbacksRun.pop()],
  ["I4", "more tries than allowed", (h) => Object.assign(h.instances[0] ?? {}, { maxTries: 0 })],
  ["I4", "a try that history lost", (h) => h.pastTries.pop()],
  ["I4", "a loss that nothing explains", (h) => Object.assign(h.pastTries[0] ?? {}, { reason: "WorkerLostError: gone" })],
  ["I5", "a pool overdrawn", (h) => Object.assign(h.poolChanges[0] ?? {}, { slots: 1 })],
  ["I5", "a scheduler above its parallelism", () => {}, { parallelism: 0 }],
  ["I5", "a run above maxActiveTasks", () => {}, { dags: [{ ...dag, maxActiveTasks: 0 }] }],
  [
    "I5",
    "a task above maxActiveTisPerDag",
    () => {},
    { dags: [{ ...dag, tasks: dag.tasks.map((one) => ({ ...one, maxActiveTisPerDag: 0 })) }] },
  ],
  ["I5", "a DAG above maxActiveRuns", () => {}, { dags: [{ ...dag, maxActiveRuns: 0 }] }],
  ["I5", "slots that are still held at the end", (h) => h.transitions.splice(h.transitions.indexOf(into(h, "b", "success")), 1)],
  ["I6", "two runs of one date", (h) => h.runs.push({ ...(h.runs[0] as History["runs"][0]), run: "d/r2" })],
  [
    "I6",
    "a date without a run",
    (h) => h.runs.push({ ...(h.runs[0] as History["runs"][0]), run: "d/r2", logicalDateMs: 180_000 }),
  ],
  [
    "I7",
    "a task scheduled before what it waits for",
    (h) => {
      const early = into(h, "b", "scheduled");
      h.transitions.splice(h.transitions.indexOf(early), 1);
      h.transitions.splice(2, 0, early);
    },
  ],
  ["I7", "a task that started before what it waits for had ended", (h) => Object.assign(h.trace[4] ?? {}, { monotonicMs: 35 })],
  [
    "I8",
    "an end that was refused while the try ran",
    (h) => {
      h.transitions.splice(h.transitions.indexOf(into(h, "b", "success")), 1);
      Object.assign(h.acknowledged[5] ?? {}, { status: 409 });
    },
  ],
  [
    "I8",
    "an end that was taken once and refused the second time",
    (h) => h.acknowledged.push({ op: "finish", tryId: A1, outcome: "failed", status: 409, atMs: 2 }),
  ],
  ["I8", "an XCom of a stale try", (h) => Object.assign(h.xcoms[0] ?? {}, { value: { tryId: A1 } })],
  [
    "I9",
    "a bystander that was held up",
    (h) =>
      h.runTransitions.push(
        { seq: 1_000, atMs: 90_000, run: "d/late", dagId: "d", from: null, to: "queued" },
        { seq: 1_001, atMs: 99_000, run: "d/late", dagId: "d", from: "running", to: "success" },
      ),
    { bystanders: { dagIds: ["d"], faultFromMs: 80_000 } },
  ],
  ["I10", "a recovery that took too long", (h) => Object.assign(h.runs[0] ?? {}, { endMs: 20_000 })],
  ["I11", "a success without its XCom", (h) => h.xcoms.pop()],
  ["I11", "a log that lacks its end", (h) => h.logs instanceof Map && h.logs.set(`${RUN}/b[-1]#1`, `${B1} begins`)],
  [
    "I11",
    "a log with another try's lines",
    (h) => h.logs instanceof Map && h.logs.set(`${RUN}/a[-1]#2`, `${A1} begins\n${A2} begins\n${A2} ends`),
  ],
  ["I11", "a success that never came to its end", (h) => h.trace.pop()],
  ["I12", "an end that was acknowledged and lost", (h) => Object.assign(into(h, "b", "success"), { to: "failed" })],
  [
    "I12",
    "a start that was acknowledged and lost",
    (h) => h.acknowledged.push({ op: "start", tryId: "x", outcome: null, status: 200, atMs: 1 }),
  ],
  ["I12", "a run that was acknowledged and lost", (h) => h.acknowledgedRuns.push("d/other")],
  ["I13", "a transaction left idle", (h) => Object.assign(h.samples[0] ?? {}, { idleInTransactionSec: 7 })],
  ["I13", "connections above the budget", (h) => Object.assign(h.samples[0] ?? {}, { connections: 11 })],
  ["I13", "a deadlock", (h) => Object.assign(h, { serverLog: "ERROR:  deadlock detected" })],
];

for (const [invariant, what, spoil, expects] of BREAKS)
  test(`${invariant} finds ${what}`, () => {
    expect(brokenBy(spoil, expects)).toContain(invariant);
  });

test("I1 does not object to what a try writes after it was reassigned: its worker hears of that later", () => {
  const clearedWhileItWrote = (history: Mutable) => {
    history.trace.push({ ...(history.trace[4] as TraceLine), what: "write", monotonicMs: 900 });
    history.acknowledged.splice(5, 1);
  };
  expect(brokenBy(clearedWhileItWrote)).not.toContain("I1");
});

test("every invariant is shown to find something", () => {
  expect(new Set(BREAKS.map(([invariant]) => invariant))).toEqual(new Set(ALL_INVARIANTS));
});

test("I12 takes an end for told that somebody had given by hand, where people may", () => {
  const markTwice = (history: Mutable) => {
    const ended = into(history, "b", "success");
    insertAfter(history, ended, { from: "failed", to: "success", oldId: ended.newId, newId: ended.newId });
    Object.assign(ended, { to: "failed" });
  };
  expect(brokenBy(markTwice)).toContain("I12");
  expect(brokenBy(markTwice, { isSteered: true })).not.toContain("I12");
});
