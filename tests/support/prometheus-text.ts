/** A strict parser of Prometheus's text format: every line is a comment of a known kind or a sample of a declared metric. */
export type Sample = { name: string; labels: Record<string, string>; value: number };

export function readPrometheusText(text: string): { samples: Sample[]; types: Map<string, string> } {
  const samples: Sample[] = [];
  const types = new Map<string, string>();
  for (const line of text.split("\n")) {
    if (line === "" || /^# HELP [a-zA-Z_:][\w:]* .+/.test(line)) continue;
    const declared = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram|summary)$/.exec(line);
    if (declared) {
      types.set(declared[1] ?? "", declared[2] ?? "");
      continue;
    }
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!match) throw new Error(`not a line of the format: ${line}`);
    const [, name = "", inside = "", value = ""] = match;
    const base = name.replace(/_(?:bucket|sum|count)$/, "");
    if (!types.has(name) && types.get(base) !== "histogram") throw new Error(`a sample of an undeclared metric: ${line}`);
    const labels = Object.fromEntries(
      [...inside.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key ?? "", text ?? ""]),
    );
    samples.push({ name, labels, value: value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value) });
  }
  return { samples, types };
}

export function sampleOf(samples: readonly Sample[], name: string, labels: Record<string, string> = {}): number | undefined {
  return samples.find((one) => one.name === name && Object.entries(labels).every(([key, value]) => one.labels[key] === value))
    ?.value;
}
