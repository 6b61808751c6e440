/**
 * ECS tasks that really run: each is a child process with the container's command and environment, and goes PENDING → RUNNING →
 * STOPPED with its exit code. Clusters and task definitions are moto's; tasks are the rig's, with the idempotency of clientToken
 * as in AWS.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { killMarked, type ProcessMark } from "../../../src/platform/index.ts";

type NameValue = { name: string; value: string };
type Container = {
  name: string;
  entryPoint?: string[];
  command?: string[];
  environment?: NameValue[];
};
export type RunTaskRequest = {
  cluster?: string;
  taskDefinition?: string;
  clientToken?: string;
  startedBy?: string;
  launchType?: string;
  capacityProviderStrategy?: { capacityProvider: string }[];
  overrides?: { containerOverrides?: Container[] };
  [other: string]: unknown;
};
export type RigTask = {
  readonly arn: string;
  readonly request: RunTaskRequest;
  lastStatus: "PENDING" | "RUNNING" | "STOPPED";
  desiredStatus: "RUNNING" | "STOPPED";
  startedAt: number | null;
  stopCode: string | null;
  stoppedReason: string | null;
  exitCode: number | null;
  containerReason: string | null;
  /** Output of the container. */
  output: string;
  child: ChildProcess | null;
  /** Resolves when it is STOPPED. */
  readonly stopped: Promise<void>;
};

export class RigRefusal extends Error {
  readonly type: string;
  readonly more: object;
  constructor(type: string, message: string, more: object = {}) {
    super(message);
    this.type = type;
    this.more = more;
  }
}

export type EcsTasks = {
  /** All tasks that were ever started, in order. */
  readonly tasks: RigTask[];
  /** Between PENDING and RUNNING. */
  startDelayMs: number;
  /** Between SIGTERM and SIGKILL. */
  stopTimeoutMs: number;
  /** Tasks that DescribeTasks does not know (`MISSING`), although they run. */
  readonly hidden: Set<RigTask>;
  /** Of ListTasks; it filters page by page, so that a page may be empty. */
  listPageSize: number;
  /** The next `count` tasks fail before their container runs, with this reason. */
  dieAtStart(count: number, reason: string): void;
  run(request: RunTaskRequest, containers: Container[]): RigTask;
  find(arn: string): RigTask | undefined;
  /** As AWS: throws for the whole request if one ARN is of another cluster. */
  describeAll(cluster: string, arns: readonly string[]): object;
  list(request: Record<string, string>): object;
  stop(task: RigTask, stopCode: string, reason: string): void;
  /** SIGTERM, with the stop code of AWS. */
  interruptSpot(task: RigTask): void;
  /** kill -9 of the container. */
  kill(task: RigTask): void;
  describe(task: RigTask): object;
  close(): Promise<void>;
};

export function createEcsTasks(options: { environment: () => Record<string, string>; folder: string }): EcsTasks {
  const tasks: RigTask[] = [];
  const byToken = new Map<string, { task: RigTask; text: string }>();
  const deaths: string[] = [];

  const self: EcsTasks = {
    tasks,
    startDelayMs: 20,
    stopTimeoutMs: 3_000,
    hidden: new Set(),
    listPageSize: 100,
    dieAtStart: (count, reason) => void deaths.push(...Array.from({ length: count }, () => reason)),
    run(request, containers) {
      const overrides = request.overrides?.containerOverrides ?? [];
      if (JSON.stringify(request.overrides ?? {}).length > 8_192)
        throw new RigRefusal("InvalidParameterException", "Container Overrides length must be at most 8192");
      for (const { name } of overrides)
        if (!containers.some((one) => one.name === name))
          throw new RigRefusal(
            "InvalidParameterException",
            `Override for container named ${name} is not a container in the TaskDefinition.`,
          );
      if (request.launchType && request.capacityProviderStrategy)
        throw new RigRefusal(
          "InvalidParameterException",
          "Specifying both a launch type and capacity provider strategy is not supported.",
        );
      const text = JSON.stringify(request);
      const earlier = request.clientToken ? byToken.get(request.clientToken) : undefined;
      if (earlier && earlier.text === text) return earlier.task;
      if (earlier)
        throw new RigRefusal(
          "ConflictException",
          "The provided clientToken is already in use with a different RunTask request.",
          {
            resourceIds: [earlier.task.arn],
          },
        );
      const task = makeTask(request);
      tasks.push(task);
      if (request.clientToken) byToken.set(request.clientToken, { task, text });
      const [essential] = containers;
      if (essential)
        setTimeout(
          () => start(task, { ...essential, ...overrides.find(({ name }) => name === essential.name) }, essential),
          self.startDelayMs,
        );
      return task;
    },
    find: (arn) => tasks.find((task) => task.arn === arn || task.arn.endsWith(`/${arn}`)),
    describeAll(cluster, arns) {
      if (arns.length > 100) throw new RigRefusal("InvalidParameterException", "Tasks cannot have more than 100 elements.");
      for (const arn of arns) checkCluster(arn, cluster);
      const known = (arn: string) => {
        const task = self.find(arn);
        return task && !self.hidden.has(task) ? task : undefined;
      };
      return {
        tasks: arns.flatMap((arn) => known(arn) ?? []).map((task) => self.describe(task)),
        failures: arns.filter((arn) => !known(arn)).map((arn) => ({ arn, reason: "MISSING" })),
      };
    },
    list({ startedBy, desiredStatus, family, cluster = "default", nextToken = "0" }) {
      if (startedBy !== undefined && (desiredStatus !== undefined || family !== undefined))
        throw new RigRefusal("InvalidParameterException", "cannot specify startedBy with other arguments");
      const from = Number(nextToken);
      const page = tasks.filter((task) => task.arn.includes(`/${nameOf(cluster)}/`)).slice(from, from + self.listPageSize);
      const found = page.filter(
        (task) =>
          (startedBy === undefined || task.request.startedBy === startedBy) &&
          task.desiredStatus === (desiredStatus ?? "RUNNING"),
      );
      const to = from + self.listPageSize;
      return { taskArns: found.map(({ arn }) => arn), ...(to < tasks.length ? { nextToken: String(to) } : {}) };
    },
    stop(task, stopCode, reason) {
      if (task.desiredStatus === "STOPPED") return;
      task.desiredStatus = "STOPPED";
      task.stopCode = stopCode;
      task.stoppedReason = reason;
      if (task.child) terminate(task.child, self.stopTimeoutMs);
      // A PENDING task stops without having run.
      else if (task.lastStatus === "PENDING") end(task);
    },
    interruptSpot: (task) => self.stop(task, "SpotInterruption", "Your Spot Task was interrupted."),
    kill: (task) => void task.child?.kill("SIGKILL"),
    describe(task) {
      const name = task.request.overrides?.containerOverrides?.[0]?.name ?? "baram";
      const seconds = (ms: number | null) => (ms === null ? undefined : ms / 1_000);
      return {
        taskArn: task.arn,
        clusterArn: task.arn.replace(":task/", ":cluster/").replace(/\/[^/]+$/, ""),
        lastStatus: task.lastStatus,
        desiredStatus: task.desiredStatus,
        startedBy: task.request.startedBy,
        startedAt: seconds(task.startedAt),
        ...(task.lastStatus === "STOPPED" ? { stopCode: task.stopCode, stoppedReason: task.stoppedReason } : {}),
        overrides: task.request.overrides,
        containers: [
          {
            name,
            lastStatus: task.lastStatus,
            ...(task.exitCode === null ? {} : { exitCode: task.exitCode }),
            ...(task.containerReason === null ? {} : { reason: task.containerReason }),
          },
        ],
      };
    },
    async close() {
      for (const task of tasks) {
        if (task.lastStatus === "STOPPED") continue;
        task.desiredStatus = "STOPPED";
        if (task.child) killMarked(markOf(task));
        else end(task);
      }
      await Promise.all(tasks.map(({ stopped }) => stopped));
    },
  };

  const resolvers = new WeakMap<RigTask, () => void>();
  function makeTask(request: RunTaskRequest): RigTask {
    let resolve = () => {};
    const stopped = new Promise<void>((done) => {
      resolve = done;
    });
    const cluster = (request.cluster ?? "default").split("/").at(-1);
    const task: RigTask = {
      arn: `arn:aws:ecs:us-east-1:123456789012:task/${cluster}/${randomUUID().replaceAll("-", "")}`,
      request,
      lastStatus: "PENDING",
      desiredStatus: "RUNNING",
      startedAt: null,
      stopCode: null,
      stoppedReason: null,
      exitCode: null,
      containerReason: null,
      output: "",
      child: null,
      stopped,
    };
    resolvers.set(task, resolve);
    return task;
  }

  function start(task: RigTask, container: Container, defined: Container): void {
    if (task.lastStatus !== "PENDING") return;
    const death = deaths.shift();
    if (death !== undefined) {
      task.desiredStatus = "STOPPED";
      task.stopCode = "TaskFailedToStart";
      task.stoppedReason = death;
      end(task);
      return;
    }
    const [command = "", ...args] = [...(container.entryPoint ?? []), ...(container.command ?? [])];
    const mark = markOf(task);
    const variables = Object.fromEntries(
      [...(defined.environment ?? []), ...(container.environment ?? [])].map(({ name, value }) => [name, value]),
    );
    const child = spawn(command, args, {
      cwd: options.folder,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...options.environment(), ...variables, [mark.name]: mark.value },
    });
    task.child = child;
    task.lastStatus = "RUNNING";
    task.startedAt = Date.now();
    const keep = (chunk: Buffer) => {
      if (task.output.length < 100_000) task.output += chunk.toString("utf8");
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    child.once("error", (error) => {
      task.containerReason = `CannotStartContainerError: ${error.message}`;
      task.startedAt = null;
      task.stopCode ??= "TaskFailedToStart";
      end(task);
    });
    child.once("exit", (code, signal) => {
      task.exitCode = code ?? (signal === "SIGKILL" ? 137 : 143);
      task.stopCode ??= "EssentialContainerExited";
      task.stoppedReason ??= "Essential container in task exited";
      // As in a container, no process outlives the first one.
      killMarked(mark);
      end(task);
    });
  }

  function end(task: RigTask): void {
    if (task.lastStatus === "STOPPED") return;
    task.lastStatus = "STOPPED";
    task.desiredStatus = "STOPPED";
    resolvers.get(task)?.();
  }

  return self;
}

const nameOf = (cluster: string) => cluster.split("/").at(-1) ?? "";

/** AWS takes an ARN only together with its own cluster. */
export function checkCluster(arn: string, cluster: string): void {
  if (!/^([0-9a-f]{32}|[0-9a-f-]{36})$/.test(nameOf(arn)))
    throw new RigRefusal("InvalidParameterException", "taskId length should be one of [32,36]");
  const [, own] = /:task\/([^/]+)\/[^/]+$/.exec(arn) ?? [];
  if (own !== undefined && own !== nameOf(cluster))
    throw new RigRefusal("InvalidParameterException", `Identifier is for cluster ${own}. Your cluster is ${nameOf(cluster)}`);
}

function markOf(task: RigTask): ProcessMark {
  // Not a BARAM_ name: those are removed from the environment of runners, which must be found too.
  return { name: "RIG_ECS_TASK", value: task.arn };
}

function terminate(child: ChildProcess, graceMs: number): void {
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
  child.once("exit", () => clearTimeout(timer));
}
