import fc from "fast-check";
import { expect, test } from "vitest";
import {
  isTerminal,
  type SerializedDag,
  serializedDagSchema,
  type TaskInstanceState,
  TRIGGER_RULES,
  type TriggerRule,
} from "../../contracts/index.ts";
import { buildGraph, type Graph } from "./graph.ts";
import { applyEvent, buildPicture, judge, judgeRun, type RunPicture, retryDue } from "./run-picture.ts";
import { judgeTriggerRule } from "./trigger-rules.ts";

type TaskSpec = { upstream: number[]; rule: TriggerRule; isEmpty: boolean };

function dagOf(tasks: TaskSpec[]): SerializedDag {
  return serializedDagSchema.parse({
    schemaVersion: 1,
    dagId: "random",
    timetable: { type: "null" },
    tasks: tasks.map((task, index) => ({
      taskId: `t${index}`,
      operator: "task",
      kind: "function",
      upstream: task.upstream.map((up) => `t${up}`),
      triggerRule: task.rule,
      isEmpty: task.isEmpty,
    })),
  });
}

const dagArbitrary = fc
  .array(
    fc.record({ ups: fc.array(fc.nat(), { maxLength: 4 }), rule: fc.constantFrom(...TRIGGER_RULES), isEmpty: fc.boolean() }),
    { minLength: 1, maxLength: 12 },
  )
  .map((specs) =>
    dagOf(
      specs.map(({ ups, rule, isEmpty }, index) => ({
        rule,
        isEmpty,
        upstream: index === 0 ? [] : [...new Set(ups.map((up) => up % index))],
      })),
    ),
  );

function freshPicture(graph: Graph): RunPicture {
  return buildPicture(
    graph,
    graph.tasks.map((task) => ({ taskId: task.taskId, mapIndex: -1, state: null })),
    0,
  );
}

/** The whole run looked at anew each time, again and again until nothing moves: what the picture must agree with. */
function settle(graph: Graph, states: (TaskInstanceState | null)[]): void {
  for (let moved = true; moved; ) {
    moved = false;
    graph.tasks.forEach((task, index) => {
      if (states[index] !== null) return;
      const ups = (graph.upstream[index] ?? []).map((up) => states[up] ?? null);
      const number = (state: TaskInstanceState) => ups.filter((up) => up === state).length;
      const counts = {
        total: ups.length,
        success: number("success"),
        failed: number("failed"),
        upstreamFailed: number("upstream_failed"),
        skipped: number("skipped"),
        setupTotal: 0,
        setupSuccess: 0,
        setupSkipped: 0,
      };
      const verdict = judgeTriggerRule(task.triggerRule, counts);
      if (verdict === "wait") return;
      states[index] = verdict === "run" ? (task.isEmpty ? "success" : "scheduled") : verdict;
      moved = true;
    });
  }
}

test("event by event, the picture decides what a look at the whole run would decide, and the run ends", () => {
  fc.assert(
    fc.property(
      dagArbitrary,
      fc.array(fc.tuple(fc.nat(), fc.constantFrom("success", "failed", "skipped", "up_for_retry")), { maxLength: 60 }),
      (dag, script) => {
        const graph = buildGraph(dag);
        const picture = freshPicture(graph);
        const model: (TaskInstanceState | null)[] = graph.tasks.map(() => null);
        const stateOf = (index: number) => picture.instances[index]?.get(-1)?.state ?? null;
        const compare = () => expect(graph.tasks.map((_, index) => stateOf(index))).toEqual(model);
        judge(picture, () => false);
        settle(graph, model);
        compare();
        const endless: [number, TaskInstanceState][] = Array.from({ length: 30 }, (_, at) => [at, "success"]);
        for (const [pick, outcome] of [...script, ...endless]) {
          const running = model.flatMap((state, index) => (state === "scheduled" ? [index] : []));
          const at = running[pick % Math.max(1, running.length)];
          if (at === undefined) break;
          const taskId = `t${at}`;
          applyEvent(picture, { taskId, mapIndex: -1, state: outcome });
          model[at] = outcome;
          if (outcome === "up_for_retry") {
            expect(retryDue(picture, { taskId, mapIndex: -1, state: "up_for_retry" })).toMatchObject({
              from: "up_for_retry",
              to: "scheduled",
            });
            model[at] = "scheduled";
          }
          judge(picture, () => false);
          settle(graph, model);
          compare();
        }
        expect(model.every((state) => isTerminal(state))).toBe(true);
        const leafFailed = model.some(
          (state, index) => graph.deciding.has(index) && (state === "failed" || state === "upstream_failed"),
        );
        expect(judgeRun(picture)).toBe(leafFailed ? "failed" : "success");
      },
    ),
    { numRuns: 500 },
  );
});

test("a task whose upstream tasks are skipped and fail in one round is upstream_failed, whichever event came first", () => {
  // t5 waits for t2, which is skipped, and for t4, which is upstream_failed one step later.
  const graph = buildGraph(
    dagOf([
      { upstream: [], rule: "all_success", isEmpty: false },
      { upstream: [], rule: "all_success", isEmpty: false },
      { upstream: [0], rule: "all_success", isEmpty: false },
      { upstream: [1], rule: "all_success", isEmpty: false },
      { upstream: [3], rule: "all_success", isEmpty: false },
      { upstream: [2, 4], rule: "all_success", isEmpty: false },
    ]),
  );
  const events = [
    { taskId: "t0", mapIndex: -1, state: "skipped" },
    { taskId: "t1", mapIndex: -1, state: "failed" },
  ] as const;
  for (const inOrder of [events, [...events].reverse()]) {
    const picture = freshPicture(graph);
    judge(picture, () => false);
    for (const event of inOrder) applyEvent(picture, event);
    judge(picture, () => false);
    expect([2, 4, 5].map((index) => picture.instances[index]?.get(-1)?.state)).toEqual([
      "skipped",
      "upstream_failed",
      "upstream_failed",
    ]);
  }
});

test("an event given twice, or out of date, changes no count", () => {
  const graph = buildGraph(
    dagOf([
      { upstream: [], rule: "all_success", isEmpty: false },
      { upstream: [0], rule: "all_success", isEmpty: false },
    ]),
  );
  const picture = freshPicture(graph);
  judge(picture, () => false);
  applyEvent(picture, { taskId: "t0", mapIndex: -1, state: "success" });
  applyEvent(picture, { taskId: "t0", mapIndex: -1, state: "success" });
  expect(picture.counts[1]).toMatchObject({ total: 1, success: 1 });
  expect(judge(picture, () => false).changes).toEqual([{ task: 1, mapIndex: -1, from: null, to: "scheduled" }]);
});

test("an event of a task the picture does not know asks for a new picture", () => {
  const picture = freshPicture(buildGraph(dagOf([{ upstream: [], rule: "all_success", isEmpty: false }])));
  expect(applyEvent(picture, { taskId: "stranger", mapIndex: -1, state: "success" })).toBe(false);
});

test("a chain of empty tasks ends within one judgement", () => {
  const graph = buildGraph(
    dagOf(
      Array.from({ length: 5_000 }, (_, index) => ({
        upstream: index === 0 ? [] : [index - 1],
        rule: "all_success" as const,
        isEmpty: true,
      })),
    ),
  );
  const picture = freshPicture(graph);
  expect(judge(picture, () => false).changes).toHaveLength(5_000);
  expect(judgeRun(picture)).toBe("success");
});

test("a task held back by an earlier run stays up for judgement, and the run is no deadlock", () => {
  const dag = dagOf([{ upstream: [], rule: "all_success", isEmpty: false }]);
  const [task] = dag.tasks;
  if (task) task.dependsOnPast = true;
  const picture = freshPicture(buildGraph(dag));
  expect(judge(picture, () => true).changes).toEqual([]);
  expect(judgeRun(picture)).toBe("running");
  expect(judge(picture, () => false).changes).toHaveLength(1);
});

test("teardowns do not decide the run unless they ask to", () => {
  const dag = dagOf([
    { upstream: [], rule: "all_success", isEmpty: false },
    { upstream: [0], rule: "all_done", isEmpty: false },
  ]);
  const teardown = dag.tasks[1];
  if (teardown) teardown.isTeardown = true;
  const picture = freshPicture(buildGraph(dag));
  applyEvent(picture, { taskId: "t0", mapIndex: -1, state: "success" });
  applyEvent(picture, { taskId: "t1", mapIndex: -1, state: "failed" });
  expect(judgeRun(picture)).toBe("success");
});

test("in a DAG of nothing but teardowns their leaves decide, so that a run of failures is no success", () => {
  const dag = dagOf([
    { upstream: [], rule: "always", isEmpty: false },
    { upstream: [0], rule: "always", isEmpty: false },
  ]);
  for (const task of dag.tasks) task.isTeardown = true;
  const judgeWith = (first: TaskInstanceState, last: TaskInstanceState) =>
    judgeRun(
      buildPicture(
        buildGraph(dag),
        [first, last].map((state, index) => ({ taskId: `t${index}`, mapIndex: -1, state })),
        0,
      ),
    );
  expect(judgeWith("success", "failed")).toBe("failed");
  expect(judgeWith("failed", "success")).toBe("success");
});
