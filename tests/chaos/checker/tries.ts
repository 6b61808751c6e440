/** I1, I2, I4, I8: invariants of single tries, from the transitions, the history and the trace. */
import { type Expectation, groupBy, type History, TERMINAL } from "./history.ts";

/** Maximum difference of the two clocks that are compared. */
const CLOCKS_APART_MS = 5;

/** I1: a try holds its lease once, only a try that holds it starts, and it does nothing after its end was accepted. */
export function checkLeases(history: History): string[] {
  const faults = writesAfterEnd(history);
  const leases = new Map<string, number>();
  for (const one of history.transitions)
    if (one.to === "running" && one.from !== "running" && one.newId) leases.set(one.newId, (leases.get(one.newId) ?? 0) + 1);
  for (const [id, count] of leases) if (count > 1) faults.push(`try ${id} became running ${count} times`);
  const starts = groupBy(
    history.trace.filter((line) => line.what === "start"),
    (line) => line.tryId,
  );
  for (const [id, lines] of starts) {
    const name = `try ${id} (${lines[0]?.run}/${lines[0]?.task}#${lines[0]?.tryNumber})`;
    if (lines.length > 1) faults.push(`${name} started ${lines.length} times, in processes ${lines.map((line) => line.pid)}`);
    if (!leases.has(id)) faults.push(`${name} ran without ever being running in the database`);
  }
  return faults;
}

/**
 * A writer that goes on after the try's end is a second writer next to its successors: a try that ignores its signal, a timer or
 * a process that it left. Only ends that the try itself reported: a cleared or marked try learns of it later.
 */
function writesAfterEnd(history: History): string[] {
  const faults: string[] = [];
  const told = new Set(history.acknowledged.filter((one) => one.op === "finish" && one.status === 200).map((one) => one.tryId));
  const endMs = new Map<string, number>();
  for (const one of history.transitions)
    if (one.from === "running" && one.to !== "running" && one.oldId && told.has(one.oldId)) endMs.set(one.oldId, one.atMs);
  for (const [id, lines] of groupBy(history.trace, (line) => line.tryId)) {
    const end = endMs.get(id);
    if (end === undefined) continue;
    const late = lines.filter((line) => line.monotonicMs + history.clockOffsetMs > end + CLOCKS_APART_MS);
    const [first] = late;
    const last = late.at(-1);
    if (!first || !last) continue;
    const lastsMs = Math.round(last.monotonicMs + history.clockOffsetMs - end);
    faults.push(
      `try ${id} (${first.run}/${first.task}#${first.tryNumber}) wrote ${late.length} times after its end was accepted, the last ${lastsMs} ms after it, from process ${last.pid}`,
    );
  }
  return faults;
}

const LEGAL: Readonly<Record<string, readonly string[]>> = {
  none: ["scheduled", "skipped", "upstream_failed", "success", "removed"],
  scheduled: ["queued", "skipped", "upstream_failed", "removed"],
  queued: ["running", "scheduled", "up_for_retry", "failed"],
  running: ["success", "failed", "skipped", "up_for_retry", "up_for_reschedule", "deferred", "restarting"],
  restarting: ["running", "up_for_retry", "failed"],
  up_for_retry: ["scheduled"],
  up_for_reschedule: ["scheduled"],
  deferred: ["scheduled", "queued", "failed", "up_for_retry"],
};
/** Transitions after which the old try must be unable to write. */
const FENCED = new Set(["queued>scheduled", "running>up_for_retry", "running>up_for_reschedule", "queued>up_for_retry"]);

/** I2: only legal transitions, and each starts at the state in which the previous one ended. */
export function checkTransitions(history: History, { isSteered }: Pick<Expectation, "isSteered">): string[] {
  const faults: string[] = [];
  for (const [instance, list] of groupBy(history.transitions, (one) => one.instance)) {
    let last: { state: string | null; id: string | null } | null = null;
    for (const one of list) {
      const from = one.from ?? "none";
      const step = `${instance}: ${from} → ${one.to ?? "none"} (${one.seq})`;
      if (one.oldId !== null && last && (last.state !== one.from || last.id !== one.oldId))
        faults.push(`${step} leaves a state that it was not in (${last.state ?? "none"})`);
      last = { state: one.to, id: one.newId };
      const isInsertOrDelete = one.oldId === null || one.newId === null;
      if (isInsertOrDelete || one.from === one.to) continue;
      if (FENCED.has(`${from}>${one.to}`) && one.oldId === one.newId) faults.push(`${step} kept the try's id`);
      const isByHand = isSteered && (one.to === null || ["success", "failed", "skipped"].includes(one.to));
      if (isByHand || LEGAL[from]?.includes(one.to ?? "")) continue;
      faults.push(TERMINAL.has(from) ? `${step} overwrites a terminal state` : `${step} is no legal transition`);
    }
  }
  return faults;
}

const ON_PURPOSE = /^Error: on purpose/;
const OVERDUE = /^TaskTimeoutError/;

/**
 * I4: there are as many tries as the DAG's own failures and the recorded losses require, never more than allowed, and each is
 * accounted for.
 */
export function checkAttempts(history: History, expect: Pick<Expectation, "dags" | "lossReasons" | "isSteered">): string[] {
  const faults: string[] = [];
  const past = groupBy(history.pastTries, (one) => one.instance);
  const dags = new Map(expect.dags.map((dag) => [dag.dagId, new Map(dag.tasks.map((task) => [task.taskId, task]))]));
  for (const one of history.instances) {
    const spec = dags.get(one.run.split("/")[0] ?? "")?.get(one.taskId);
    if (one.tryNumber > one.maxTries + 1) faults.push(`${one.instance} had ${one.tryNumber} tries of ${one.maxTries + 1}`);
    const before = past.get(one.instance) ?? [];
    const numbers = before.map((old) => old.tryNumber);
    const wanted = Array.from({ length: Math.max(0, one.tryNumber - 1) }, (_, at) => at + 1);
    if (!expect.isSteered && numbers.join() !== wanted.join())
      faults.push(`${one.instance} is at try ${one.tryNumber}, and its history holds tries [${numbers}]`);
    for (const old of before) {
      const reason = old.reason ?? "";
      if (spec && ON_PURPOSE.test(reason) && old.tryNumber <= spec.failTries) continue;
      // On an overloaded machine even a try that would stop may not get CPU time to do so.
      if (OVERDUE.test(reason) && (spec?.deafTries ?? 0) > 0) continue;
      if (expect.isSteered && reason === "cleared") continue;
      if (!expect.lossReasons.some((allowed) => allowed.test(reason)))
        faults.push(
          `try ${old.tryNumber} of ${one.instance} was lost, and nothing here explains it: ${reason || "no reason"} (${tell(history, old.id)})`,
        );
    }
  }
  const known = new Set([...history.instances, ...history.pastTries].map((one) => `${one.instance}#${one.tryNumber}`));
  for (const line of history.trace) {
    const key = `${line.dag}/${line.run}/${line.task}[${line.mapIndex}]#${line.tryNumber}`;
    if (!known.has(key)) faults.push(`${key} ran, and the database does not know of it`);
  }
  return faults;
}

/**
 * I8: an end that was refused changed nothing, an end that was reported twice got the same answer, and the accepted try wrote the
 * XCom.
 */
export function checkStaleWrites(history: History, { isSteered }: Pick<Expectation, "isSteered">): string[] {
  const faults: string[] = [];
  const ends = endsByTry(history);
  const left = new Set(
    history.transitions.filter((one) => one.from === "running" && one.to !== "running").map((one) => one.oldId),
  );
  const leased = new Set(history.transitions.filter((one) => one.to === "running").map((one) => one.newId));
  const taken = new Set<string>();
  for (const one of history.acknowledged) {
    if (one.op !== "finish") continue;
    const told = `${one.tryId} ${one.outcome}`;
    if (one.status === 200) taken.add(told);
    if (one.status !== 409) continue;
    if (!left.has(one.tryId) && leased.has(one.tryId))
      faults.push(`the end of try ${one.tryId} was refused although it was running`);
    if (taken.has(told) && !isSteered)
      faults.push(`the end (${one.outcome}) of try ${one.tryId} was taken, and refused when told again`);
  }
  for (const xcom of history.xcoms) {
    const value = xcom.value as { tryId?: unknown } | null;
    if (xcom.key !== "return_value" || typeof value?.tryId !== "string") continue;
    const owner = history.instances.find((one) => one.instance === xcom.instance);
    if (owner?.state !== "success" || owner.id === value.tryId) continue;
    // Cleared after its success and then marked by hand: the XCom of that success stays until the next try starts.
    if (!(isSteered && ends.get(value.tryId) === "success"))
      faults.push(`the XCom of ${xcom.instance} was written by try ${value.tryId}, and the accepted one is ${owner.id}`);
  }
  return faults;
}

/** Try id → the state in which it ended. */
export function endsByTry(history: History): Map<string, string> {
  const ends = new Map<string, string>();
  for (const one of history.transitions)
    if (one.from === "running" && one.oldId && one.to && one.to !== "running") ends.set(one.oldId, one.to);
  return ends;
}

/** The recorded events of a try, for the analysis of a broken invariant: in seconds before its end. */
function tell(history: History, tryId: string): string {
  const steps = history.transitions.filter((one) => one.oldId === tryId || one.newId === tryId);
  const lines = history.trace.filter((line) => line.tryId === tryId);
  const acknowledged = history.acknowledged.filter((one) => one.tryId === tryId);
  const endMs = steps.at(-1)?.atMs ?? 0;
  return [
    ...steps.map((one) => [one.atMs, `${one.to ?? "none"} of job ${one.jobId}`] as const),
    ...lines.map((line) => [line.wallMs, `its process ${line.pid}: ${line.what}`] as const),
    ...acknowledged.map((one) => [one.atMs, `${one.op} answered ${one.status}`] as const),
  ]
    .sort(([a], [b]) => a - b)
    .map(([atMs, what]) => `${((atMs - endMs) / 1_000).toFixed(3)} ${what}`)
    .join(", ");
}
