import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { expect, test } from "vitest";
import { BaramError, killMarked, signalGroup, sleep, toError, watchChildren } from "./index.ts";

test("sleep ends at once when its signal aborts, before or during, and leaves no listener behind", async () => {
  const during = new AbortController();
  const slept = sleep(60_000, during.signal);
  during.abort();
  await slept;
  await sleep(60_000, during.signal);
  let listeners = 0;
  const signal = new AbortController().signal;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...given: Parameters<typeof addEventListener>) => {
    listeners++;
    addEventListener.apply(signal, given);
  };
  signal.removeEventListener = (...given: Parameters<typeof removeEventListener>) => {
    listeners--;
    removeEventListener.apply(signal, given);
  };
  await sleep(1, signal);
  expect(listeners).toBe(0);
});

test("an error keeps its code, facts and cause; whatever else is thrown becomes an Error that says what it was", () => {
  const cause = new Error("below");
  expect(new BaramError("some_code", "what happened", { n: 1 }, cause)).toMatchObject({
    code: "some_code",
    message: "what happened",
    facts: { n: 1 },
    cause,
  });
  expect("cause" in new BaramError("c", "m")).toBe(false);
  expect(toError(cause)).toBe(cause);
  expect(toError("text").message).toBe("text");
  expect(toError({ a: 1 }).message).toContain('{"a":1}');
  const loop: { self?: object } = {};
  loop.self = loop;
  for (const odd of [undefined, null, 10n, loop, Symbol("s")]) expect(toError(odd)).toBeInstanceOf(Error);
});

test("a mark finds a whole tree, a detached grandchild too, and kills all but the one that is spared", async () => {
  const mark = { name: "BARAM_TEST_MARK", value: randomUUID() };
  const script = `require("node:child_process").spawn(process.execPath, ["-e", "console.log('up', process.pid); setInterval(() => {}, 1e6)"], { detached: true, stdio: "inherit" }); setInterval(() => {}, 1e6);`;
  const child = spawn(process.execPath, ["-e", script], {
    env: { ...process.env, [mark.name]: mark.value },
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  const gone = once(child, "exit");
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const grandchild = Number(/up (\d+)/.exec(line.toString())?.[1]);
  const children = watchChildren(child.pid ?? 0);
  expect(children.hasAny()).toBe(true);
  const grandchildren = watchChildren(grandchild);
  expect(grandchildren.hasAny()).toBe(false);
  grandchildren.close();
  killMarked(mark, child.pid);
  await expect.poll(() => isAlive(grandchild)).toBe(false);
  await expect.poll(() => children.hasAny()).toBe(false);
  expect(child.exitCode ?? child.signalCode, "the spared one").toBeNull();
  killMarked(mark);
  expect(await gone).toEqual([null, "SIGKILL"]);
  expect(children.hasAny(), "of a process that is gone").toBe(false);
  children.close();
  expect(children.hasAny()).toBe(false);
});

test("a process group is signalled by its leader; one that is gone answers false", async () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1e6)"], { detached: true, stdio: "ignore" });
  await once(child, "spawn");
  const gone = once(child, "exit");
  expect(signalGroup(child.pid ?? 0, "SIGKILL")).toBe(true);
  expect(await gone).toEqual([null, "SIGKILL"]);
  expect(signalGroup(child.pid ?? 0, "SIGKILL")).toBe(false);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
