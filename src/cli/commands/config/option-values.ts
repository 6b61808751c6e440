import { type Config, OPTIONS, type OptionSpec } from "../../../config/index.ts";

export type OptionValue = {
  section: string;
  option: string;
  value: string | number | boolean | null;
  default: string | number | boolean | null;
  source: string;
};

const HIDDEN = "***";

/** All options in the order of the table, with hidden secrets. */
export function optionValues(config: Config): OptionValue[] {
  return Object.entries(OPTIONS).flatMap(([section, options]) =>
    Object.entries<OptionSpec>(options).map(([option, spec]) => {
      const values = config[section as keyof typeof OPTIONS] as Record<string, OptionValue["value"]>;
      const value = values[option] ?? null;
      const isHidden = spec.secret === true && value !== null;
      const source = config.sources[`${section}.${option}`] ?? "default";
      return { section, option, value: isHidden ? HIDDEN : value, default: spec.default, source };
    }),
  );
}
