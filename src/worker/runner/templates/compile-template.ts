import type nunjucks from "nunjucks";

/**
 * A template's function as nunjucks' compiler generates it. Everything it uses is passed in, so our runtime can replace the
 * library's.
 */
export type CompiledTemplate = (
  env: nunjucks.Environment,
  context: object,
  frame: object,
  runtime: object,
  done: (error: unknown, text: string | null) => void,
) => void;

type ExpressionNode = { lineno: number; colno: number };
type Compiler = {
  compile(tree: unknown): void;
  getCode(): string;
  compileFor(node: { arr: ExpressionNode }, frame: unknown): void;
  _compileExpression(node: ExpressionNode, frame: unknown): void;
  _emit(code: string): void;
};
type Internals = {
  compiler: { Compiler: new (name: string, throwOnUndefined: boolean) => Compiler };
  parser: { parse(source: string): unknown };
};

/** Compiled templates by source, for warm runners; emptied when full, since sources come from DAG files only. */
const compiled = new Map<string, CompiledTemplate>();
const MAX_COMPILED = 1_000;

/** @throws Error "syntax error: …" with the place in the template. */
export function compileTemplate(engine: typeof nunjucks, source: string): CompiledTemplate {
  const known = compiled.get(source);
  if (known !== undefined) return known;
  // The library's public API does not accept another runtime or compiler; these internal parts are missing from its types.
  const { compiler, parser } = engine as unknown as Internals;
  let code: string;
  try {
    const strict = makeStrict(new compiler.Compiler("template", true));
    strict.compile(parser.parse(source));
    code = strict.getCode();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.replaceAll("\n", " ") : String(cause);
    throw new Error(`syntax error: ${reason}`, { cause });
  }
  const { root } = new Function(code)() as { root: CompiledTemplate };
  if (compiled.size >= MAX_COMPILED) compiled.clear();
  compiled.set(source, root);
  return root;
}

/** Nunjucks treats an undefined list as empty in loops; here it is an error, as in output. */
function makeStrict(compiler: Compiler): Compiler {
  const lists = new WeakSet<ExpressionNode>();
  const compileFor = compiler.compileFor.bind(compiler);
  const compileExpression = compiler._compileExpression.bind(compiler);
  return Object.assign(compiler, {
    compileFor(node: { arr: ExpressionNode }, frame: unknown) {
      lists.add(node.arr);
      compileFor(node, frame);
    },
    _compileExpression(node: ExpressionNode, frame: unknown) {
      if (!lists.has(node)) return compileExpression(node, frame);
      compiler._emit("runtime.ensureDefined(");
      compileExpression(node, frame);
      compiler._emit(`,${node.lineno},${node.colno})`);
    },
  });
}
