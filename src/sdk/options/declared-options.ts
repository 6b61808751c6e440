/** A class that says by statics which options it has: an operator or a notifier. */
export type OptionClass = { readonly templateFields: readonly string[]; readonly optionNames: readonly string[] | undefined };

/**
 * What a class and its base classes declare as their own options. `isOpen`: one of them, below the root, says nothing about
 * those beside its template fields.
 */
export function declaredOptions(given: OptionClass): { names: string[]; isOpen: boolean } {
  const names = new Set<string>();
  let isOpen = false;
  for (let at: Partial<OptionClass> = given; isBelowRoot(at); at = Object.getPrototypeOf(at)) {
    const own = Object.hasOwn(at, "optionNames") ? at.optionNames : undefined;
    if (own === undefined) isOpen = true;
    const fields = Object.hasOwn(at, "templateFields") ? (at.templateFields ?? []) : [];
    for (const name of [...fields, ...(own ?? [])]) names.add(name);
  }
  return { names: [...names], isOpen };
}

/** The root, BaseOperator or BaseNotifier, declares `optionNames` as undefined and extends nothing that has them. */
function isBelowRoot(at: Partial<OptionClass>): boolean {
  return "optionNames" in Object.getPrototypeOf(at);
}
