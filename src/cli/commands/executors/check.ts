import { queueNameSchema } from "../../../contracts/index.ts";
import { baseUrl } from "../../../main/base-url.ts";
import { type CheckLine, checkExecutor } from "../../../main/check-executor.ts";
import { configuredExecutors, resolveExecutor } from "../../../main/executors.ts";
import { checkFailed, usageError } from "../../errors.ts";
import { withStore } from "../../session.ts";
import { shown } from "../../shown.ts";
import type { Terminal } from "../../terminal.ts";

export type CheckOptions = { timeout: number; queue?: string; apiUrl?: string };

const WORDS = { ok: "ok", fault: "FAILED", unknown: "not checked" } as const;

/** Throws `check_failed` if an executor has a fault. */
export async function checkAll(terminal: Terminal, named: string | undefined, options: CheckOptions): Promise<void> {
  const { apiUrl: givenUrl, timeout: timeoutSec } = options;
  if (givenUrl !== undefined && !(URL.canParse(givenUrl) && /^https?:$/.test(new URL(givenUrl).protocol)))
    throw usageError(`--api-url is ${shown(givenUrl)}, which is no http or https URL.`);
  await withStore(terminal, async ({ config, store, logger, audit }) => {
    const names = namesOf(named, configuredExecutors(config));
    if (givenUrl !== undefined && names.every((name) => name === "QueueExecutor"))
      throw usageError(
        `--api-url is ${shown(givenUrl)}, and workers of QueueExecutor use the URL in their own [api] base_url (BARAM__API__BASE_URL). Set it there, and check without --api-url.`,
      );
    const queue = options.queue ?? config.operators.default_queue;
    const wrong = queueNameSchema.safeParse(queue).error?.issues[0]?.message;
    if (wrong !== undefined) throw usageError(`--queue is ${shown(queue)}: ${wrong}.`);
    const apiUrl = givenUrl?.replace(/\/+$/, "") ?? baseUrl(config) ?? `http://${config.api.host}:${config.api.port}`;
    await audit({ event: "cli_executors_check", extra: { executors: names } });
    const failed: string[] = [];
    for (const name of names) {
      const onLine = (line: CheckLine) => terminal.print(`${name}  ${spell(line)}`);
      if (!(await checkExecutor(name, { config, store, apiUrl, queue, timeoutSec, logger, onLine }))) failed.push(name);
    }
    if (failed.length > 0) throw checkFailed(`The check of ${failed.join(", ")} failed.`);
  });
}

function namesOf(named: string | undefined, configured: ReturnType<typeof configuredExecutors>): string[] {
  const all = configured.map(({ name }) => name);
  if (named === undefined) return all;
  const name = resolveExecutor(named, configured);
  if (name !== null) return [name];
  throw usageError(`${shown(named)} is no configured executor; [core] executor has ${all.join(", ")}.`);
}

function spell({ step, ok, text }: CheckLine): string {
  if (ok === null) return `${step} ${WORDS.unknown}: ${text}`;
  return `${step} ${ok ? WORDS.ok : WORDS.fault}: ${text}`;
}
