import { loadConfig, nearOption } from "../../../config/index.ts";
import { notFound } from "../../errors.ts";
import { cellText } from "../../output/index.ts";
import type { Terminal } from "../../terminal.ts";
import { optionValues } from "./option-values.ts";

export async function getOption(terminal: Terminal, section: string, option: string): Promise<void> {
  const found = optionValues(loadConfig()).find((one) => one.section === section && one.option === option);
  if (!found) {
    const near = nearOption(section, option);
    throw notFound(
      "option",
      `There is no option [${section}] ${option}.${near === undefined ? "" : ` Did you mean ${near}?`} See "baram config list" for the names.`,
    );
  }
  terminal.print(cellText(found.value));
}
