export { cellText } from "./cell.ts";
export { formatRecord, formatRows, type OutputFormat } from "./format-rows.ts";
