import { createInterface } from "node:readline/promises";

/** The input and output of a command: data on stdout only, messages on stderr. */
export type Terminal = {
  /** One or several lines of data. */
  print(text: string): void;
  /** A message for the user at the terminal. */
  note(text: string): void;
  /** Returns on "y"; throws `usage_invalid` if there is no terminal to ask, `interrupted` on any other answer. */
  confirm(question: string, isAgreed: boolean): Promise<void>;
  isVerbose(): boolean;
};

export function createTerminal(isVerbose: () => boolean): Terminal {
  return {
    isVerbose,
    print: (text) => void process.stdout.write(`${text}\n`),
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
  };
}
