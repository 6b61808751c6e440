/** The parts of `node:child_process` that are used here, since only a few folders may import it. */
type Child = {
  readonly stdio: readonly unknown[];
  on(event: "error", listener: (error: Error) => void): unknown;
  readonly connected?: boolean;
  send?(message: object, callback: (error: Error | null) => void): boolean;
};
type Emitter = { on(event: "error", listener: (error: Error) => void): unknown };

export type ChildPipes = {
  /**
   * Sends over the IPC channel. A failed send is reported to `onFault`; the caller learns of the process's end from its `exit`
   * event.
   */
  send(message: object): void;
};

const NAMES = ["stdin", "stdout", "stderr"];

/**
 * Handles the errors of all pipes to a child process (stdio, further descriptors, the IPC channel) for their whole lifetime. A
 * process can die before its parent notices; a write in between fails with EPIPE or ECONNRESET, and an error event without a
 * listener would crash this process. Call this right after starting a process.
 */
export function ownPipes(child: Child, onFault: (pipe: string, error: Error) => void = () => {}): ChildPipes {
  // Also emitted if a process cannot be started or signalled; the caller that started it has its own listener.
  child.on("error", (error) => onFault("process", error));
  for (const [at, pipe] of child.stdio.entries()) {
    if (isEmitter(pipe)) pipe.on("error", (error) => onFault(NAMES[at] ?? `descriptor ${at}`, error));
  }
  return {
    send(message) {
      if (!child.connected) return onFault("channel", new Error("the process has closed its channel"));
      child.send?.(message, (error) => error && onFault("channel", error));
    },
  };
}

function isEmitter(pipe: unknown): pipe is Emitter {
  return typeof pipe === "object" && pipe !== null && "on" in pipe && typeof pipe.on === "function";
}
