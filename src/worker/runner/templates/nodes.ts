/**
 * What a template can consist of: the whole list. The parser makes these nodes and no others, and `render-nodes.ts` gives each a
 * meaning. A template never becomes JavaScript.
 */
export type Expression = { readonly line: number } & (
  | { readonly kind: "literal"; readonly value: string | number | boolean | null }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "list"; readonly items: readonly Expression[] }
  | { readonly kind: "dict"; readonly entries: readonly (readonly [string, Expression])[] }
  | { readonly kind: "member"; readonly target: Expression; readonly key: Expression }
  | { readonly kind: "slice"; readonly target: Expression; readonly bounds: readonly (Expression | null)[] }
  | { readonly kind: "call"; readonly callee: Expression; readonly given: Given }
  | { readonly kind: "filter"; readonly name: string; readonly input: Expression; readonly given: Given }
  | { readonly kind: "test"; readonly name: string; readonly input: Expression; readonly given: Given }
  | { readonly kind: "unary"; readonly operator: "not" | "-" | "+"; readonly operand: Expression }
  | { readonly kind: "logic"; readonly operator: "and" | "or"; readonly left: Expression; readonly right: Expression }
  | { readonly kind: "binary"; readonly operator: BinaryOperator; readonly left: Expression; readonly right: Expression }
  | { readonly kind: "compare"; readonly first: Expression; readonly rest: readonly Comparison[] }
  | { readonly kind: "choice"; readonly condition: Expression; readonly then: Expression; readonly otherwise: Expression | null }
  | { readonly kind: "capture"; readonly body: readonly Statement[] }
  | { readonly kind: "caller"; readonly macro: Macro }
);

export type BinaryOperator = "+" | "-" | "*" | "/" | "//" | "%" | "**" | "~" | "in";
export type Comparison = { readonly operator: CompareOperator; readonly operand: Expression };
export type CompareOperator = "==" | "===" | "!=" | "!==" | "<" | ">" | "<=" | ">=";

/** The arguments of a call. */
export type Given = { readonly positional: readonly Expression[]; readonly keywords: readonly (readonly [string, Expression])[] };

/** A parameter without a default is undefined where the call does not give it. */
export type Macro = {
  readonly name: string;
  readonly parameters: readonly { readonly name: string; readonly fallback: Expression | null }[];
  readonly body: readonly Statement[];
};

export type Statement = { readonly line: number } & (
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "output"; readonly value: Expression }
  | { readonly kind: "if"; readonly branches: readonly Branch[]; readonly otherwise: readonly Statement[] }
  | {
      readonly kind: "for";
      readonly names: readonly string[];
      readonly list: Expression;
      readonly condition: Expression | null;
      readonly body: readonly Statement[];
      readonly otherwise: readonly Statement[];
    }
  | { readonly kind: "set"; readonly names: readonly string[]; readonly value: Expression }
  | { readonly kind: "setMember"; readonly owner: string; readonly name: string; readonly value: Expression }
  | { readonly kind: "do"; readonly value: Expression }
  | {
      readonly kind: "with";
      readonly entries: readonly (readonly [string, Expression])[];
      readonly body: readonly Statement[];
    }
  | { readonly kind: "macro"; readonly macro: Macro }
  | {
      readonly kind: "switch";
      readonly value: Expression;
      readonly cases: readonly Branch[];
      readonly otherwise: readonly Statement[];
    }
);

export type Branch = { readonly condition: Expression; readonly body: readonly Statement[] };
