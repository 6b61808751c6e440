import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { dag, param, task } from "baram";
import { parquetWriteFile } from "hyparquet-writer";
import { type Customer, readCustomers } from "./customers.ts";

/** Reads the customers, sorts them by spending score, and writes them as Parquet. */
export default dag(
  {
    dagId: "mall_customers_sort",
    description: "Sorts the mall's customers by spending score and writes them as Parquet",
    schedule: null,
    tags: ["demo"],
    params: {
      input: param("examples/data/Mall_Customers.csv", { schema: { type: "string", minLength: 1 }, description: "The CSV file" }),
      output: param(".baram/demo/mall_customers_sorted.parquet", {
        schema: { type: "string", minLength: 1 },
        description: "The Parquet file to write",
      }),
    },
    defaultArgs: { owner: "demo" },
  },
  () => {
    const read = task({ taskId: "read_and_check" }, async (ctx, path: string): Promise<Customer[]> => {
      const customers = readCustomers(path);
      ctx.logger.info(`${customers.length} customers read from ${path}`);
      return customers;
    });

    const sort = task({ taskId: "sort" }, async (_ctx, customers: Customer[]) =>
      [...customers].sort((a, b) => a.spendingScore - b.spendingScore || a.customerId - b.customerId),
    );

    const write = task({ taskId: "write_parquet" }, async (ctx, customers: Customer[], path: string): Promise<number> => {
      // Readable for this user only: what a task writes to BARAM_HOME is as closed as what Baram writes there.
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      // Write to a temporary name and rename, so that readers never see a partial file.
      const partial = `${path}.${ctx.ti.tryNumber}.partial`;
      writeFileSync(partial, "", { mode: 0o600 });
      await parquetWriteFile({
        filename: partial,
        columnData: [
          { name: "CustomerID", data: customers.map((one) => one.customerId), type: "INT32" },
          { name: "Gender", data: customers.map((one) => one.gender), type: "STRING" },
          { name: "Age", data: customers.map((one) => one.age), type: "INT32" },
          { name: "Annual Income (k$)", data: customers.map((one) => one.annualIncome), type: "INT32" },
          { name: "Spending Score (1-100)", data: customers.map((one) => one.spendingScore), type: "INT32" },
        ],
      });
      renameSync(partial, path);
      ctx.logger.info(`${customers.length} rows written to ${path}`);
      return customers.length;
    });

    write(sort(read("{{ params.input }}")), "{{ params.output }}");
  },
);
