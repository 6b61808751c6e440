/**
 * Process state that a task may change and that would affect the next task; restored after each try. Not covered, and the author's
 * responsibility: module variables, new globals, changed prototypes.
 */

export type StateCheck = {
  /** What had been changed and was restored. */
  restored: string[];
  /** What cannot be restored: the process must not run another try. null = nothing. */
  broken: string | null;
};

export type ProcessState = { restore(): StateCheck };

/** Functions of `process` that programs replace, for example to intercept an exit or output. */
const PROCESS_FUNCTIONS = ["exit", "kill", "abort", "reallyExit", "chdir", "cwd", "emitWarning", "nextTick"] as const;

/**
 * Globals that programs replace, to intercept, mock or polyfill them. Only these are checked, since each costs some microseconds
 * per try.
 */
const GLOBALS: readonly string[] = [
  ...["Array", "Date", "Error", "Intl", "JSON", "Map", "Math", "Object", "Promise", "Reflect", "RegExp", "Set", "Symbol"],
  ...["Buffer", "URL", "AbortController", "AbortSignal", "EventTarget", "console", "crypto", "performance", "process"],
  ...["Headers", "Request", "Response", "WebSocket", "fetch", "queueMicrotask", "structuredClone"],
  ...["setImmediate", "setInterval", "setTimeout", "clearImmediate", "clearInterval", "clearTimeout"],
];

/** The state now, after the module was loaded: what its top level set up belongs to it and stays. */
export function captureProcessState(): ProcessState {
  const cwd = process.cwd();
  const umask = process.umask();
  const { title, exitCode } = process;
  const { stackTraceLimit, prepareStackTrace } = Error;
  const environment = process.env;
  const variables = { ...environment };
  const variableCount = Object.keys(variables).length;
  const listeners = new Map(process.eventNames().map((event) => [event, process.rawListeners(event as string)]));
  const outputs = (["stdout", "stderr"] as const).map((name) => ({ name, stream: process[name], write: process[name].write }));
  const parts = [
    snapshotOf("globalThis", globalThis, GLOBALS),
    snapshotOf("console", console, Object.keys(console)),
    snapshotOf("Math", Math, Object.getOwnPropertyNames(Math)),
    snapshotOf("JSON", JSON, ["parse", "stringify"]),
    snapshotOf("Date", Date, ["now", "parse", "UTC"]),
    snapshotOf("process", process, PROCESS_FUNCTIONS),
  ];

  return {
    restore() {
      const restored: string[] = [];
      for (const part of parts) restored.push(...part());
      if (process.env !== environment) {
        process.env = environment;
        restored.push("process.env");
      }
      restored.push(...restoreVariables(variables, variableCount), ...restoreListeners(listeners));
      for (const { stream, write, name } of outputs) {
        if (stream.write === write) continue;
        stream.write = write;
        restored.push(`process.${name}.write`);
      }
      if (process.umask() !== umask) restored.push(`umask ${process.umask(umask).toString(8)}`);
      if (process.title !== title) {
        process.title = title;
        restored.push("process.title");
      }
      if (process.exitCode !== exitCode) {
        process.exitCode = exitCode;
        restored.push("process.exitCode");
      }
      if (Error.stackTraceLimit !== stackTraceLimit || Error.prepareStackTrace !== prepareStackTrace) {
        Object.assign(Error, { stackTraceLimit, prepareStackTrace });
        restored.push("the form of stack traces");
      }
      return { restored, broken: restoreFolder(cwd, restored) };
    },
  };
}

/** Restores what has changed; returns the names. Values are compared, but getters are never called. */
function snapshotOf(what: string, target: object, names: readonly string[]): () => string[] {
  const values: [string, unknown][] = [];
  const accessors: [string, PropertyDescriptor][] = [];
  for (const name of names) {
    const descriptor = Object.getOwnPropertyDescriptor(target, name);
    if (descriptor?.get) accessors.push([name, descriptor]);
    else if (descriptor?.writable) values.push([name, descriptor.value]);
  }
  const holder = target as Record<string, unknown>;
  return () => {
    const changed: string[] = [];
    for (const [name, value] of values) {
      if (Object.is(holder[name], value)) continue;
      Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: true });
      changed.push(what === "globalThis" ? name : `${what}.${name}`);
    }
    // A global that Node creates on first use (`fetch`) becomes a plain value, set by Node or by the task: it is created again.
    for (const [name, descriptor] of accessors)
      if (Object.getOwnPropertyDescriptor(target, name)?.get !== descriptor.get) Object.defineProperty(target, name, descriptor);
    return changed;
  };
}

function restoreVariables(before: Readonly<Record<string, string | undefined>>, count: number): string[] {
  const changed: string[] = [];
  for (const name in before) {
    if (process.env[name] === before[name]) continue;
    process.env[name] = before[name];
    changed.push(`environment variable ${name}`);
  }
  const names = Object.keys(process.env);
  if (names.length === count) return changed;
  for (const name of names) {
    if (name in before) continue;
    delete process.env[name];
    changed.push(`environment variable ${name}`);
  }
  return changed;
}

type Listener = (...given: unknown[]) => void;

function restoreListeners(before: ReadonlyMap<string | symbol, readonly unknown[]>): string[] {
  const changed: string[] = [];
  for (const event of new Set([...before.keys(), ...process.eventNames()])) {
    const name = event as string;
    const wanted = before.get(event) ?? [];
    const found = process.rawListeners(name);
    if (found.length === wanted.length && found.every((listener, at) => listener === wanted[at])) continue;
    process.removeAllListeners(name);
    for (const listener of wanted) process.on(name, listener as Listener);
    changed.push(`listeners of process for ${String(event)}`);
  }
  return changed;
}

function restoreFolder(cwd: string, restored: string[]): string | null {
  try {
    if (process.cwd() === cwd) return null;
    process.chdir(cwd);
    restored.push("working folder");
    return null;
  } catch (error) {
    return `the working folder cannot be put back to ${cwd}: ${String(error)}`;
  }
}
