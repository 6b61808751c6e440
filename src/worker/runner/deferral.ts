import { cutText, DEFERRAL_NAME_MAX, type Outcome, type Resume } from "../../contracts/index.ts";
import { FailError, type TaskContext } from "../../sdk/index.ts";
import {
  BaseSensor,
  classpathOf,
  durationToSeconds,
  FunctionOperator,
  findJsonFault,
  type TaskDeferred,
  type TaskNode,
} from "../../sdk/runtime.ts";
import { TaskTimeoutError, TriggerFailureError, TriggerTimeoutError } from "./task-failure.ts";

type DeferredOutcome = Extract<Outcome, { state: "deferred" }>;

/**
 * The task's `defer()` request in the API's form. @throws FailError if the trigger, the method or the kwargs could not be found or
 * read when the task resumes.
 */
export function deferredOutcome(node: TaskNode, { options }: TaskDeferred): DeferredOutcome {
  const { trigger, kwargs = {}, timeout } = options;
  const classpath = classpathOf(trigger);
  if (classpath === undefined) {
    const name = Object.getPrototypeOf(trigger)?.constructor?.name ?? "the trigger";
    throw new FailError(
      `task ${node.taskId}: defer() was given a ${name}, which the triggerer cannot find: call registerTrigger("${name}", ${name}) in the DAG file, beside the class`,
    );
  }
  const method = methodOf(node, options.method);
  for (const [what, name] of Object.entries({ "trigger's name": classpath, method }))
    if (name.length > DEFERRAL_NAME_MAX)
      throw new FailError(
        `task ${node.taskId}: defer()'s ${what} has ${name.length} characters; ${DEFERRAL_NAME_MAX} are allowed: "${cutText(name, 60)}"`,
      );
  const fault = findJsonFault(kwargs);
  if (fault !== undefined) throw new FailError(`task ${node.taskId}: defer() kwargs${fault.path} are ${fault.fault}`);
  return {
    state: "deferred",
    classpath,
    triggerKwargs: JSON.parse(JSON.stringify(trigger.options)),
    timeoutSec: timeout === undefined ? null : durationToSeconds("defer() timeout", timeout),
    nextMethod: method,
    nextKwargs: JSON.parse(JSON.stringify(kwargs)),
  };
}

function methodOf(node: TaskNode, method: string | undefined): string {
  if (isFunctionTask(node) || node instanceof BaseSensor) return "execute";
  const name = method ?? "executeComplete";
  if (findMethod(node, name) !== undefined) return name;
  throw new FailError(
    `task ${node.taskId}: defer() names the method "${name}" to go on with, but ${node.operatorName} has none of that name`,
  );
}

function isFunctionTask(node: TaskNode): boolean {
  return node instanceof FunctionOperator;
}

type Method = (ctx: TaskContext, event: unknown, kwargs: unknown) => Promise<unknown>;

/** Only methods of the operator's own classes: the name comes from the database and must not reach Object's methods. */
function findMethod(node: TaskNode, name: string): Method | undefined {
  if (name === "constructor" || name in Object.prototype) return undefined;
  const found: unknown = Reflect.get(node, name);
  return typeof found === "function" ? (found as Method) : undefined;
}

/** The execution timeout of a try, and how much of it is used up. */
export type ExecutionTime = { limitSec: number | null; usedSec: number };

/**
 * The error of a try whose trigger failed or timed out. The scheduler ends a wait at the deferral's timeout or at the end of the
 * execution timeout, whichever is earlier, and says only that it did: which one it was decides about the error and the retry.
 */
export function failureOfResume({ failure }: Resume, { limitSec, usedSec }: ExecutionTime): Error | null {
  if (failure === null) return null;
  if (failure.kind !== "timeout") return new TriggerFailureError(failure.message);
  if (limitSec !== null && usedSec >= limitSec) return new TaskTimeoutError(limitSec);
  return new TriggerTimeoutError(failure.message);
}

/** Resumes a deferred task in the method that it named. */
export async function resumeTask(node: TaskNode, ctx: TaskContext, resume: Resume, time: ExecutionTime): Promise<unknown> {
  const failure = failureOfResume(resume, time);
  if (failure !== null) throw failure;
  if (resume.method === "execute") return node.execute(ctx);
  const method = findMethod(node, resume.method);
  if (method === undefined) throw new FailError(`${node.operatorName} has no method "${resume.method}" to go on with`);
  return method.call(node, ctx, resume.event, resume.kwargs);
}
