/**
 * Lambda functions that really run: an invocation of type Event is answered with 202, and then passed to an environment, a
 * process that has loaded the handler and processes one event after another. If an event fails or times out, it is repeated,
 * twice by default, and then sent to the dead-letter queue, as in AWS.
 */
import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { killMarked, type ProcessMark } from "../../../src/platform/index.ts";

export type RigFunction = {
  name: string;
  /** Path of a module that exports `handler`. */
  handler: string;
  timeoutMs: number;
  retries: number;
  retryDelayMs: number;
  environment: Record<string, string>;
  /** Called when an event is given up. */
  onDead(event: unknown, error: string, requestId: string): Promise<void>;
};
export type Invocation = {
  readonly requestId: string;
  readonly functionName: string;
  readonly event: unknown;
  attempts: number;
  state: "waiting" | "running" | "done" | "dead";
  result: unknown;
  errors: string[];
};

export type LambdaFunctions = {
  readonly invocations: Invocation[];
  /** Delay before an event is passed to an environment. */
  startDelayMs: number;
  define(one: RigFunction): void;
  find(nameOrArn: string): RigFunction | undefined;
  invoke(one: RigFunction, event: unknown): Invocation;
  /** AWS may deliver an event more than once, even while the first delivery is running. */
  deliverAgain(invocation: Invocation): void;
  /** kill -9 of the environment that runs it. */
  kill(invocation: Invocation): void;
  close(): Promise<void>;
};

type Environment = { child: ChildProcess; mark: ProcessMark; functionName: string; busy: Invocation | null };

export function createLambdaFunctions(options: { environment: () => Record<string, string>; folder: string }): LambdaFunctions {
  const functions = new Map<string, RigFunction>();
  const invocations: Invocation[] = [];
  const environments = new Set<Environment>();
  const open = new Set<Promise<void>>();
  let isClosed = false;

  const self: LambdaFunctions = {
    invocations,
    startDelayMs: 0,
    define: (one) => void functions.set(one.name, one),
    find: (nameOrArn) =>
      functions.get(
        decodeURIComponent(nameOrArn)
          .replace(/^arn:.*:function:/, "")
          .split(":")[0] ?? "",
      ),
    invoke(one, event) {
      const invocation: Invocation = {
        requestId: randomUUID(),
        functionName: one.name,
        event,
        attempts: 0,
        state: "waiting",
        result: null,
        errors: [],
      };
      invocations.push(invocation);
      track(serve(one, invocation));
      return invocation;
    },
    deliverAgain(invocation) {
      const one = functions.get(invocation.functionName);
      if (one) track(serve(one, invocation));
    },
    kill(invocation) {
      for (const environment of environments) if (environment.busy === invocation) killMarked(environment.mark);
    },
    async close() {
      isClosed = true;
      for (const { mark } of environments) killMarked(mark);
      await Promise.all(open);
    },
  };

  function track(work: Promise<void>): void {
    const one = work.finally(() => open.delete(one));
    open.add(one);
  }

  async function serve(one: RigFunction, invocation: Invocation): Promise<void> {
    await pause(self.startDelayMs);
    let error = "";
    for (let attempt = 0; attempt <= one.retries && !isClosed; attempt++) {
      if (attempt > 0) await pause(one.retryDelayMs);
      if (isClosed) return;
      invocation.attempts++;
      invocation.state = "running";
      try {
        invocation.result = await runOnce(one, invocation);
        invocation.state = "done";
        return;
      } catch (thrown) {
        error = (thrown as Error).message;
        invocation.errors.push(error);
      }
    }
    if (isClosed) return;
    invocation.state = "dead";
    await one.onDead(invocation.event, error, invocation.requestId);
  }

  async function runOnce(one: RigFunction, invocation: Invocation): Promise<unknown> {
    const environment =
      [...environments].find(({ busy, functionName }) => busy === null && functionName === one.name) ?? boot(one);
    environment.busy = invocation;
    const { child, mark } = environment;
    return new Promise((resolve, reject) => {
      const settle = (end: () => void) => {
        clearTimeout(timer);
        child.off("message", onMessage);
        child.off("exit", onExit);
        environment.busy = null;
        end();
      };
      const onExit = (code: number | null, signal: string | null) =>
        settle(() => reject(new Error(`Runtime exited with error: ${signal ?? `exit status ${code}`}`)));
      const onMessage = (message: { ready?: true; ok?: boolean; result?: unknown; error?: string }) => {
        if (message.ready) return;
        settle(() => (message.ok ? resolve(message.result) : reject(new Error(message.error))));
      };
      const timer = setTimeout(() => {
        settle(() => reject(new Error(`Task timed out after ${(one.timeoutMs / 1_000).toFixed(2)} seconds`)));
        environments.delete(environment);
        killMarked(mark);
      }, one.timeoutMs);
      child.on("message", onMessage);
      child.once("exit", onExit);
      child.send({ event: invocation.event, requestId: invocation.requestId, deadlineMs: Date.now() + one.timeoutMs });
    });
  }

  function boot(one: RigFunction): Environment {
    const mark: ProcessMark = { name: "RIG_LAMBDA_ENVIRONMENT", value: randomUUID() };
    const child = fork(fileURLToPath(new URL("./lambda-host.mjs", import.meta.url)), [one.handler, one.name], {
      cwd: options.folder,
      detached: true,
      stdio: [
        "ignore",
        process.env.BARAM_TEST_LOG ? "inherit" : "ignore",
        process.env.BARAM_TEST_LOG ? "inherit" : "ignore",
        "ipc",
      ],
      env: { ...options.environment(), ...one.environment, [mark.name]: mark.value },
      execArgv: [],
    });
    const environment: Environment = { child, mark, functionName: one.name, busy: null };
    environments.add(environment);
    child.once("exit", () => {
      environments.delete(environment);
      killMarked(mark);
    });
    child.once("error", () => environments.delete(environment));
    return environment;
  }

  return self;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
