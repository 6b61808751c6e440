/** What is used of `node:child_process`, which few rooms may import. */
type Child = {
  readonly stdio: readonly unknown[];
  on(event: "error", listener: (error: Error) => void): unknown;
  readonly connected?: boolean;
  send?(message: object, callback: (error: Error | null) => void): boolean;
};
type Emitter = { on(event: "error", listener: (error: Error) => void): unknown };

export type ChildPipes = {
  /** Sends over the IPC channel. What cannot be sent is told to `onFault`; who sends hears of the process's end in its `exit`. */
  send(message: object): void;
};

const NAMES = ["stdin", "stdout", "stderr"];

/**
 * Takes over the errors of all pipes to a child process, for as long as there are any: its stdio, further descriptors, and the IPC channel.
 * A process dies before its parent hears of it; what is written in between fails with EPIPE or ECONNRESET, and an error that nobody
 * listens to would end this process with all that it does for others. Whoever starts a process calls this at once.
 */
export function ownPipes(child: Child, onFault: (pipe: string, error: Error) => void = () => {}): ChildPipes {
  // Also told for a process that cannot be started, or not be signalled; whoever started it listens, too.
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
