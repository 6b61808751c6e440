import type { DescribeTasksCommandOutput } from "@aws-sdk/client-ecs";
import { expect, test } from "vitest";
import { type Answer, clusterOf, describeTasks, type Seen } from "./describe-tasks.ts";

const arnOf = (cluster: string, at: number) =>
  `arn:aws:ecs:eu-west-1:123456789012:task/${cluster}/${String(at).padStart(32, "0")}`;

/** An ECS that refuses each batch that contains one of these. */
async function describe(arns: string[], refuse: (cluster: string, arns: string[]) => Answer<never> | undefined) {
  const seen = new Map<string, Seen>();
  const requests: [string, number][] = [];
  await describeTasks(arns, {
    cluster: "main",
    async request(cluster, batch) {
      requests.push([cluster, batch.length]);
      const refusal = refuse(cluster, batch);
      if (refusal !== undefined) return refusal;
      return { value: { tasks: batch.map((taskArn) => ({ taskArn })) } as DescribeTasksCommandOutput };
    },
    seen(some) {
      for (const [arn, one] of some) seen.set(arn, one);
    },
  });
  return { seen, requests, missing: [...seen].flatMap(([arn, one]) => ("missing" in one ? [arn] : [])) };
}

test("an ARN names its cluster, in each partition; one of the old format names none", () => {
  expect(clusterOf(arnOf("main", 1))).toBe("arn:aws:ecs:eu-west-1:123456789012:cluster/main");
  expect(clusterOf("arn:aws-cn:ecs:cn-north-1:123456789012:task/a-b/0")).toBe(
    "arn:aws-cn:ecs:cn-north-1:123456789012:cluster/a-b",
  );
  expect(clusterOf("arn:aws:ecs:eu-west-1:123456789012:task/0123")).toBeNull();
  expect(clusterOf("0123")).toBeNull();
});

test("each cluster is asked for its own tasks, 100 at a time, and the option's for those that name none", async () => {
  const arns = [...Array.from({ length: 250 }, (_, at) => arnOf(at % 2 === 0 ? "main" : "other", at)), "an-id"];
  const { seen, requests, missing } = await describe(arns, () => undefined);
  expect(requests).toEqual([
    ["arn:aws:ecs:eu-west-1:123456789012:cluster/main", 100],
    ["arn:aws:ecs:eu-west-1:123456789012:cluster/main", 25],
    ["arn:aws:ecs:eu-west-1:123456789012:cluster/other", 100],
    ["arn:aws:ecs:eu-west-1:123456789012:cluster/other", 25],
    ["main", 1],
  ]);
  expect(seen.size).toBe(251);
  expect(missing).toEqual([]);
});

test("one task that ECS refuses costs a few requests, and hides no other", async () => {
  const arns = Array.from({ length: 100 }, (_, at) => arnOf("main", at));
  const [bad = "", worse = ""] = [arns[7], arns[93]];
  const { seen, requests, missing } = await describe(arns, (_cluster, batch) =>
    batch.includes(bad) || batch.includes(worse)
      ? { refused: "InvalidParameterException: Identifier is for cluster x" }
      : undefined,
  );
  expect(missing).toEqual([bad, worse]);
  expect(seen.size).toBe(100);
  expect(requests.length).toBeLessThan(30);
  expect(seen.get(bad)).toEqual({
    missing: `ECS refuses to describe the task ${bad}: InvalidParameterException: Identifier is for cluster x`,
  });
});

test("a cluster that is gone, or may not be read, is asked once, and hides no other cluster", async () => {
  const arns = [...Array.from({ length: 50 }, (_, at) => arnOf("gone", at)), arnOf("main", 1)];
  for (const refused of ["ClusterNotFoundException: Cluster not found.", "AccessDeniedException: not authorized"]) {
    const { requests, missing } = await describe(arns, (cluster) => (cluster.endsWith("/gone") ? { refused } : undefined));
    expect(requests).toHaveLength(2);
    expect(missing).toHaveLength(50);
  }
});

test("where there is no answer, nothing is said of the rest", async () => {
  const arns = Array.from({ length: 201 }, (_, at) => arnOf("main", at));
  const { seen, requests } = await describe(arns, (_cluster, batch) => (batch.includes(arns[100] ?? "") ? null : undefined));
  expect(requests).toHaveLength(2);
  expect(seen.size).toBe(100);
});

test("an answer in the new format of an ARN is that of the old one", async () => {
  const old = "arn:aws:ecs:eu-west-1:123456789012:task/0123456789abcdef0123456789abcdef";
  const taskArn = "arn:aws:ecs:eu-west-1:123456789012:task/main/0123456789abcdef0123456789abcdef";
  const seen: Seen[] = [];
  const answer = { value: { tasks: [{ taskArn }] } as DescribeTasksCommandOutput };
  await describeTasks([old], { cluster: "main", request: async () => answer, seen: (some) => void seen.push(...some.values()) });
  expect(seen).toEqual([{ task: { taskArn } }]);
});
