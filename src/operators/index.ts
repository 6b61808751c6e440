export { EmptyOperator } from "./empty/empty-operator.ts";
