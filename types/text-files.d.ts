// Text files that a DAG may import: they become part of its module as strings. As TEXT_EXTENSIONS of src/dag-files/bundle-dag-file.ts.

declare module "*.sql" {
  const text: string;
  export default text;
}

declare module "*.txt" {
  const text: string;
  export default text;
}

declare module "*.md" {
  const text: string;
  export default text;
}

declare module "*.csv" {
  const text: string;
  export default text;
}

declare module "*.yaml" {
  const text: string;
  export default text;
}

declare module "*.yml" {
  const text: string;
  export default text;
}

declare module "*.html" {
  const text: string;
  export default text;
}

declare module "*.jinja" {
  const text: string;
  export default text;
}

declare module "*.j2" {
  const text: string;
  export default text;
}

declare module "*.sh" {
  const text: string;
  export default text;
}
