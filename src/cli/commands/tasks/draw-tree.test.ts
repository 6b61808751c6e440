import { expect, it } from "vitest";
import { drawTree } from "./draw-tree.ts";

const task = (taskId: string, ...upstream: string[]) => ({ taskId, upstream, operator: "task" });

it("indents tasks below what they come after, and draws a shared part once", () => {
  const dag = { tasks: [task("a"), task("b", "a"), task("c", "a"), task("d", "b", "c"), task("e", "d")] };
  expect(drawTree(dag).split("\n")).toEqual([
    "a (task)",
    "    b (task)",
    "        d (task)",
    "            e (task)",
    "    c (task)",
    "        d (task) (…)",
  ]);
});

it("stays linear over many diamonds, and draws chains of any length", () => {
  const diamonds = Array.from({ length: 60 }, (_, index) => {
    const before = index === 0 ? [] : [`end${index - 1}`];
    return [
      task(`start${index}`, ...before),
      task(`left${index}`, `start${index}`),
      task(`right${index}`, `start${index}`),
      task(`end${index}`, `left${index}`, `right${index}`),
    ];
  }).flat();
  expect(drawTree({ tasks: diamonds }).split("\n").length).toBeLessThan(400);
});
