import { InvalidArgumentError, Option } from "commander";
import type { OutputFormat } from "../output/index.ts";

export type { OutputFormat };
export type OutputOptions = { output: OutputFormat };

/** Repeated here: importing the formatter would load the YAML library for every `--help`. */
const FORMATS: readonly OutputFormat[] = ["table", "json", "yaml", "plain"];

export function outputOption(): Option {
  return new Option("-o, --output <format>", "output format").choices(FORMATS).default("table");
}

/** Of the commands that run a DAG's code in their own process. */
export function allowRootOption(): Option {
  return new Option("--allow-root", "run the DAG's code as root in spite of [workers] run_as_user").default(false);
}

/** `example`: the command line after `baram `. */
export function exampleOf(example: string): string {
  return `\nExample:\n  $ baram ${example}\n`;
}

/** A parser for names and addresses. An empty one usually comes from a script with an unset variable, and would have another meaning. */
export function nonEmpty(text: string): string {
  if (text.trim() === "") throw new InvalidArgumentError("It must not be empty: leave the option out for its default.");
  return text;
}

/** A parser for whole numbers from `min` to `max`. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (!/^-?\d+$/.test(text) || number < min || number > max)
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    return number;
  };
}
