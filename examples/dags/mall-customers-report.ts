import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { chain, dag, param, task } from "baram";
import { ExternalTaskSensor, TriggerDagRunOperator } from "baram/operators";
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";

type Group = { gender: string; ageBand: string; customers: number; meanScore: number };

const AGE_BANDS = [
  { label: "under 25", from: 0, to: 24 },
  { label: "25-34", from: 25, to: 34 },
  { label: "35-49", from: 35, to: 49 },
  { label: "50 and over", from: 50, to: 200 },
];

/** Triggers the DAG that sorts the customers, waits for it, and reports the mean spending score by gender and age band. */
export default dag(
  {
    dagId: "mall_customers_report",
    description: "Mean spending score by gender and age band",
    schedule: null,
    tags: ["demo"],
    params: {
      input: param("examples/data/Mall_Customers.csv", { schema: { type: "string", minLength: 1 }, description: "The CSV file" }),
      parquet: param(".baram/demo/mall_customers_sorted.parquet", {
        schema: { type: "string", minLength: 1 },
        description: "The intermediate Parquet file",
      }),
      report: param(".baram/demo/mall_customers_report.txt", {
        schema: { type: "string", minLength: 1 },
        description: "The report to write",
      }),
    },
    defaultArgs: { owner: "demo" },
  },
  () => {
    const trigger = new TriggerDagRunOperator({
      taskId: "trigger_sort",
      triggerDagId: "mall_customers_sort",
      triggerRunId: "for_report__{{ run_id }}__{{ ti.try_number }}",
      conf: { input: "{{ params.input }}", output: "{{ params.parquet }}" },
    });

    const wait = new ExternalTaskSensor({
      taskId: "wait_for_sort",
      externalDagId: "mall_customers_sort",
      externalTaskId: "write_parquet",
      externalRunId: "{{ ti.xcom_pull(task_ids='trigger_sort') }}",
      mode: "reschedule",
      pokeInterval: { seconds: 0.5 },
      timeout: "10m",
    });

    const summarise = task({ taskId: "summarise" }, async (_ctx, path: string): Promise<Group[]> => {
      const rows = await parquetReadObjects({ file: await asyncBufferFromFile(path) });
      return ["Female", "Male"].flatMap((gender) =>
        AGE_BANDS.map(({ label, from, to }) => {
          const scores = rows
            .filter((row) => row.Gender === gender && row.Age >= from && row.Age <= to)
            .map((row) => Number(row["Spending Score (1-100)"]));
          const mean = scores.reduce((sum, score) => sum + score, 0) / Math.max(1, scores.length);
          return { gender, ageBand: label, customers: scores.length, meanScore: Math.round(mean * 100) / 100 };
        }),
      );
    });

    const write = task({ taskId: "write_report" }, async (ctx, groups: Group[], path: string): Promise<string> => {
      const lines = groups.map(
        (one) =>
          `${one.gender.padEnd(8)}${one.ageBand.padEnd(14)}${String(one.customers).padStart(9)}${one.meanScore.toFixed(2).padStart(12)}`,
      );
      const text = [
        "Mean spending score (1-100) by gender and age band",
        "",
        "gender  age band      customers  mean score",
        ...lines,
        "",
      ].join("\n");
      // Readable for this user only: what a task writes to BARAM_HOME is as closed as what Baram writes there.
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      writeFileSync(`${path}.partial`, text, { mode: 0o600 });
      renameSync(`${path}.partial`, path);
      for (const line of lines) ctx.logger.info(line);
      return path;
    });

    const groups = summarise("{{ params.parquet }}");
    chain(trigger, wait, groups);
    write(groups, "{{ params.report }}");
  },
);
