/** A class with static fields that declare its options: an operator or a notifier. */
export type OptionClass = { readonly templateFields: readonly string[]; readonly optionNames: readonly string[] | undefined };

/**
 * The options that a class and its base classes declare. `isOpen`: one of these classes, apart from the root, has no
 * `optionNames` and may have undeclared options.
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

/** The root, BaseOperator or BaseNotifier, declares `optionNames` as undefined, and no base class of it has them. */
function isBelowRoot(at: Partial<OptionClass>): boolean {
  return "optionNames" in Object.getPrototypeOf(at);
}
