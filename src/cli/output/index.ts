export { cellText } from "./cell.ts";
export { formatRecord, formatRows, OUTPUT_FORMATS, type OutputFormat, type Row } from "./format-rows.ts";
