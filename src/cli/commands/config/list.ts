import { loadConfig, nearSection } from "../../../config/index.ts";
import { notFound } from "../../errors.ts";
import { formatRows } from "../../output/index.ts";
import type { Terminal } from "../../terminal.ts";
import type { OutputOptions } from "../flags.ts";
import { optionValues } from "./option-values.ts";

export type ListOptions = OutputOptions & { section?: string; defaults: boolean };

export async function listOptions(terminal: Terminal, { section, defaults, output }: ListOptions): Promise<void> {
  const options = optionValues(loadConfig());
  const sections = [...new Set(options.map((one) => one.section))];
  if (section !== undefined && !sections.includes(section)) {
    const near = nearSection(section);
    throw notFound(
      "option",
      `There is no section "${section}".${near === undefined ? "" : ` Did you mean ${near}?`} The sections are: ${sections.join(", ")}.`,
    );
  }
  const rows = options
    .filter((one) => section === undefined || one.section === section)
    .map((one) => ({
      section: one.section,
      option: one.option,
      value: defaults ? one.default : one.value,
      source: defaults ? "default" : one.source,
    }));
  terminal.print(formatRows(rows, ["section", "option", "value", "source"], output));
}
