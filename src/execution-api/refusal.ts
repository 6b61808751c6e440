import { BaramError } from "../platform/index.ts";

/** An answer other than success, with its HTTP status. */
export class Refusal extends BaramError {
  readonly status: 400 | 401 | 403 | 404 | 409 | 413 | 422 | 503;

  constructor(status: Refusal["status"], code: string, message: string, facts: Record<string, unknown> = {}) {
    super(code, message, facts);
    this.status = status;
  }
}

export const TRY_NOT_RUNNING = "try_not_running";

export function staleTry(id: string): Refusal {
  return new Refusal(
    409,
    TRY_NOT_RUNNING,
    `Try ${id} is not running any more: it was finished, requeued or replaced. Nothing was written; stop it.`,
    { id },
  );
}

export function notFound(what: string): Refusal {
  return new Refusal(404, "not_found", `${what} was not found.`);
}

export function workerNeeded(id: string): Refusal {
  const message = `Workload ${id} was queued for the workers of a broker: it is started by a call with a worker's own token ([workers] token), and its start token alone is not enough.`;
  return new Refusal(403, "worker_token_needed", message, { id });
}
