/** One parameter of a function, as `bindArguments` fills it. */
type Slot = {
  /** The name and its other spellings; none where the argument can be given by position only. */
  readonly names: readonly string[];
  readonly kind: "one" | "rest" | "keywords";
  readonly isRequired: boolean;
  readonly isPositional: boolean;
  /** For messages. */
  readonly label: string;
};

/** What a function, filter or test takes, and how a message shows it. */
export type Signature = { readonly text: string; readonly slots: readonly Slot[] };

/** The arguments of one call, evaluated. */
export type GivenValues = { readonly positional: readonly unknown[]; readonly keywords: ReadonlyMap<string, unknown> };

export type TemplateFunction = (...args: never[]) => unknown;

type Declared = {
  readonly signature: Signature;
  readonly members: Readonly<Record<string, unknown>>;
  readonly acceptsUndefined: boolean;
};

const signatures = new Map<string, Signature>();
const declared = new WeakMap<object, Declared>();

/**
 * Reads parameters written as in Python: "ds, days", "sep=None, maxsplit=-1", "key, default=None, /", "*items", "**values".
 * The value after `=` is for the reader: a parameter that is not given is undefined. `default|default_var=` has two names.
 */
export function signatureOf(text: string): Signature {
  const known = signatures.get(text);
  if (known !== undefined) return known;
  const parts = text === "" ? [] : text.split(", ");
  const slash = parts.indexOf("/");
  const star = parts.findIndex((part) => /^\*\w*$/.test(part));
  const slots = parts.flatMap((part, at): Slot[] => {
    if (part === "/" || part === "*") return [];
    const [label = "", fallback] = part.split("=");
    const kind = label.startsWith("**") ? "keywords" : label.startsWith("*") ? "rest" : "one";
    return [
      {
        names: kind !== "one" || at < slash ? [] : label.split("|"),
        kind,
        isRequired: kind === "one" && fallback === undefined,
        isPositional: kind === "one" && (star === -1 || at < star),
        label: label.split("|")[0] ?? label,
      },
    ];
  });
  const signature = { text: `(${text.replace(/\|\w+/g, "")})`, slots };
  signatures.set(text, signature);
  return signature;
}

/** The parameters of a macro of the template, and the block of a call, which is passed by the name `caller`. */
export function macroSignature(names: readonly string[]): Signature {
  const optional = { kind: "one", isRequired: false } as const;
  const slots: Slot[] = names.map((name) => ({ ...optional, names: [name], isPositional: true, label: name }));
  slots.push({ ...optional, names: ["caller"], isPositional: false, label: "caller" });
  return { text: `(${names.join(", ")})`, slots };
}

/**
 * The arguments in the order of the parameters; a list for `*items`, a map for `**values`.
 * @throws Error for an argument that is not taken, is given twice or is missing. None is ever left out silently.
 */
export function bindArguments(title: string, { text, slots }: Signature, given: GivenValues): unknown[] {
  const fail = (reason: string): never => {
    throw new Error(`${title} ${reason}: it takes ${text === "()" ? "no arguments" : text}`);
  };
  const positions = slots.filter((slot) => slot.isPositional);
  const hasRest = slots.some((slot) => slot.kind === "rest");
  if (!hasRest && given.positional.length > positions.length)
    fail(`is given ${given.positional.length} arguments by position, ${positions.length} at most are possible`);
  const unused = new Map(given.keywords);
  const missing: string[] = [];
  const bound = slots.map((slot) => {
    if (slot.kind !== "one") return undefined;
    const at = slot.isPositional ? positions.indexOf(slot) : -1;
    let isGiven = at !== -1 && at < given.positional.length;
    let value = isGiven ? given.positional[at] : undefined;
    for (const name of slot.names) {
      if (!unused.has(name)) continue;
      if (isGiven) fail(`is given '${name}' twice`);
      isGiven = true;
      value = unused.get(name);
      unused.delete(name);
    }
    if (!isGiven && slot.isRequired) missing.push(slot.label);
    return value;
  });
  const takesAll = slots.some((slot) => slot.kind === "keywords");
  if (!takesAll) for (const name of unused.keys()) fail(`has no parameter '${name}'`);
  if (missing.length > 0) fail(`lacks '${missing.join("', '")}'`);
  return slots.map((slot, at) =>
    slot.kind === "rest" ? given.positional.slice(positions.length) : slot.kind === "keywords" ? unused : bound[at],
  );
}

/** Marks a function of ours. Templates can call nothing else, whatever data or options hold. */
export function callable<T extends TemplateFunction>(
  signature: string | Signature,
  call: T,
  { members = {}, acceptsUndefined = false }: Partial<Pick<Declared, "members" | "acceptsUndefined">> = {},
): T {
  declared.set(call, {
    signature: typeof signature === "string" ? signatureOf(signature) : signature,
    members,
    acceptsUndefined,
  });
  return call;
}

export function isCallable(value: unknown): value is (...args: unknown[]) => unknown {
  return typeof value === "function" && declared.has(value);
}

/** What a function of ours takes, and what stands under it, as `strptime` under `macros.datetime`. */
export function declarationOf(call: object): Declared | undefined {
  return declared.get(call);
}
