import { readFileSync } from "node:fs";
import { parse } from "csv-parse/sync";

/** One validated row of Mall_Customers.csv. */
export type Customer = {
  customerId: number;
  gender: "Male" | "Female";
  age: number;
  annualIncome: number;
  spendingScore: number;
};

const HEADER = ["CustomerID", "Gender", "Age", "Annual Income (k$)", "Spending Score (1-100)"];

/** Reads and validates the file row by row. Errors contain the line number and the invalid value. */
export function readCustomers(path: string): Customer[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new Error(`cannot read ${path}: ${(error as Error).message}`);
  }
  const rows = parse(text, { bom: true, skip_empty_lines: true, relax_column_count: true, info: true }) as unknown as {
    record: string[];
    info: { lines: number };
  }[];
  const [header, ...body] = rows;
  if (header?.record.join() !== HEADER.join())
    throw new Error(`${path}, line 1: the header is "${header?.record.join() ?? ""}", but must be "${HEADER.join()}"`);
  const seen = new Set<number>();
  return body.map(({ record, info }) => {
    const where = `${path}, line ${info.lines}`;
    if (record.length !== HEADER.length) throw new Error(`${where}: ${record.length} columns instead of ${HEADER.length}`);
    const [id = "", gender = "", age = "", income = "", score = ""] = record;
    const customerId = wholeNumber(id, 1, 1_000_000_000, "CustomerID", where);
    if (seen.has(customerId)) throw new Error(`${where}: CustomerID ${customerId} appears twice`);
    seen.add(customerId);
    if (gender !== "Male" && gender !== "Female") throw new Error(`${where}: Gender is "${gender}", but must be Male or Female`);
    return {
      customerId,
      gender,
      age: wholeNumber(age, 0, 150, "Age", where),
      annualIncome: wholeNumber(income, 0, 1_000_000, "Annual Income (k$)", where),
      spendingScore: wholeNumber(score, 1, 100, "Spending Score (1-100)", where),
    };
  });
}

function wholeNumber(text: string, least: number, most: number, column: string, where: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most)
    throw new Error(`${where}: ${column} is "${text}", but must be an integer from ${least} to ${most}`);
  return value;
}
