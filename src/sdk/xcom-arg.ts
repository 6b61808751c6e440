import { checkId } from "./check-id.ts";
import type { Endpoint } from "./dag-draft.ts";
import { TaskLink } from "./task-link.ts";

export const RETURN_VALUE_KEY = "return_value";

declare const resolvesTo: unique symbol;

/**
 * The value that a task will return (or push under another key), to be passed to other tasks: where it is passed, an edge
 * follows. A task that pushed nothing, or was skipped, gives null.
 */
export class XComArg<R> extends TaskLink {
  declare readonly [resolvesTo]: R;
  override readonly endpoint: Endpoint & { kind: "task" };
  readonly key: string;

  constructor(endpoint: Endpoint & { kind: "task" }, key: string = RETURN_VALUE_KEY) {
    super();
    this.endpoint = endpoint;
    this.key = key;
  }

  get taskId(): string {
    return this.endpoint.id;
  }

  /** What the same task pushes under another key, e.g. one of its `multipleOutputs`. */
  at<T = unknown>(key: string): XComArg<T> {
    checkId("XCom key", key);
    return new XComArg<T>(this.endpoint, key);
  }

  /** The template that pulls the same value: so a result may stand inside a template string, too (without an edge). */
  override toString(): string {
    return `{{ ti.xcom_pull(task_ids='${this.taskId}', key='${this.key}') }}`;
  }
}
