import type { DescribeTasksCommandOutput, Task } from "@aws-sdk/client-ecs";

/** What ECS says of one task: how it is, or why it cannot tell. */
export type Seen = { task: Task } | { missing: string };

/** null: no answer; `refused`: what AWS said of this request. */
export type Answer<T> = { value: T } | { refused: string } | null;

/** The limit of DescribeTasks. */
const BATCH_MAX = 100;
/** Refusals that no smaller batch would escape. */
const OF_THE_CLUSTER = /^(ClusterNotFoundException|AccessDenied)/;

/**
 * The cluster of a task, by its ARN: a task goes on in the cluster in which it was launched, whatever the option names by now. ARNs
 * of the old format (`task/<id>`) name none; null.
 */
export function clusterOf(arn: string): string | null {
  const parts = /^(arn:[^:]*:ecs:[^:]*:[^:]*):task\/([^/]+)\/[^/]+$/.exec(arn);
  return parts ? `${parts[1]}:cluster/${parts[2]}` : null;
}

/**
 * Describes tasks, cluster by cluster. ECS refuses a whole batch because of one task; the batch is then halved until that task is
 * alone, so that it never hides the others. `seen` gets what each request brings. Ends at the first request without an answer.
 */
export async function describeTasks(
  arns: readonly string[],
  parts: {
    /** For ARNs that name none. */
    cluster: string;
    request(cluster: string, arns: string[]): Promise<Answer<DescribeTasksCommandOutput>>;
    seen(seen: Map<string, Seen>): void;
  },
): Promise<void> {
  const byCluster = new Map<string, string[]>();
  for (const arn of arns) {
    const cluster = clusterOf(arn) ?? parts.cluster;
    byCluster.set(cluster, [...(byCluster.get(cluster) ?? []), arn]);
  }
  for (const [cluster, ofCluster] of byCluster)
    for (let at = 0; at < ofCluster.length; at += BATCH_MAX)
      if (!(await describeBatch(cluster, ofCluster.slice(at, at + BATCH_MAX)))) return;

  /** false: there was no answer. */
  async function describeBatch(cluster: string, batch: string[]): Promise<boolean> {
    const answer = await parts.request(cluster, batch);
    if (!answer) return false;
    if ("value" in answer) {
      parts.seen(new Map(batch.map((arn) => [arn, seenOf(arn, answer.value)])));
      return true;
    }
    if (batch.length > 1 && !OF_THE_CLUSTER.test(answer.refused)) {
      const half = Math.ceil(batch.length / 2);
      return (await describeBatch(cluster, batch.slice(0, half))) && (await describeBatch(cluster, batch.slice(half)));
    }
    parts.seen(new Map(batch.map((arn) => [arn, { missing: `ECS refuses to describe the task ${arn}: ${answer.refused}` }])));
    return true;
  }
}

/** By the task's id: AWS may answer with the new format of an ARN that was asked for in the old one. */
function seenOf(arn: string, { tasks = [], failures = [] }: DescribeTasksCommandOutput): Seen {
  const id = idOf(arn);
  const task = tasks.find(({ taskArn }) => idOf(taskArn) === id);
  if (task) return { task };
  const failure = failures.find((one) => idOf(one.arn) === id);
  const said = [failure?.reason ?? "it is not in the answer", failure?.detail].filter(Boolean).join(" ");
  return { missing: `ECS does not know the task ${arn}: ${said}` };
}

const idOf = (arn: string | undefined) => arn?.split("/").at(-1);
