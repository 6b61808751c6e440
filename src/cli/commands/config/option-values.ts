import { type Config, OPTIONS, type OptionSpec, sensitiveNames } from "../../../config/index.ts";
import { createNameRule, HIDDEN, hideInText } from "../../../platform/index.ts";

export type OptionValue = {
  section: string;
  option: string;
  value: string | number | boolean | null;
  default: string | number | boolean | null;
  source: string;
};

/** All options in the order of the table, with hidden secrets; also of a password in a URL. */
export function optionValues(config: Config): OptionValue[] {
  const rule = createNameRule(sensitiveNames(config));
  return Object.entries(OPTIONS).flatMap(([section, options]) =>
    Object.entries<OptionSpec>(options).map(([option, spec]) => {
      const values = config[section as keyof typeof OPTIONS] as Record<string, OptionValue["value"]>;
      const value = values[option] ?? null;
      const isHidden = spec.secret === true && value !== null;
      const source = config.sources[`${section}.${option}`] ?? "default";
      return {
        section,
        option,
        value: isHidden ? HIDDEN : typeof value === "string" ? hideInText(value, rule) : value,
        default: spec.default,
        source,
      };
    }),
  );
}
