import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";

/** The input and output of a command: data on stdout only, messages on stderr. */
export type Terminal = {
  /** One or several lines of data. */
  print(text: string): void;
  /** A message for the user at the terminal. */
  note(text: string): void;
  /** Returns on "y"; throws `usage_invalid` if there is no terminal to ask, `interrupted` on any other answer. */
  confirm(question: string, isAgreed: boolean): Promise<void>;
  /** A line that is not shown while it is typed. Throws `usage_invalid` with `otherwise` if there is no terminal, and `interrupted`. */
  askHidden(question: string, otherwise: string): Promise<string>;
  isVerbose(): boolean;
};

export function createTerminal(isVerbose: () => boolean): Terminal {
  // Kept, since the output of a DAG's code is led elsewhere while it runs in this process.
  const write = process.stdout.write.bind(process.stdout);
  return {
    isVerbose,
    print: (text) => void write(`${text}\n`),
    note: (text) => void process.stderr.write(`${text}\n`),
    async confirm(question, isAgreed) {
      if (isAgreed) return;
      const { interrupted, usageError } = await import("./errors.ts");
      if (!process.stdin.isTTY) throw usageError(`${question} There is no terminal to ask: add --yes to go on.`);
      const ask = createInterface({ input: process.stdin, output: process.stderr });
      // Ctrl-C and Ctrl-D close the interface without an answer.
      const stop = new AbortController();
      ask.once("SIGINT", () => stop.abort());
      ask.once("close", () => stop.abort());
      const answer = await ask.question(`${question} (y/n) `, { signal: stop.signal }).catch(() => null);
      ask.close();
      if (answer === null || !/^y(es)?$/i.test(answer.trim()))
        throw interrupted("Nothing was changed, because the answer was not yes.");
    },
    async askHidden(question, otherwise) {
      const { interrupted, usageError } = await import("./errors.ts");
      if (!process.stdin.isTTY) throw usageError(otherwise);
      process.stderr.write(question);
      // readline repeats what is typed to its output.
      const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
      const ask = createInterface({ input: process.stdin, output: nowhere, terminal: true });
      const stop = new AbortController();
      ask.once("SIGINT", () => stop.abort());
      ask.once("close", () => stop.abort());
      const answer = await ask.question("", { signal: stop.signal }).catch(() => null);
      ask.close();
      process.stderr.write("\n");
      if (answer === null) throw interrupted("Nothing was changed.");
      return answer;
    },
  };
}
