/** The DAG file of the suite: each task records its starts and ends with appends that are never partial. */
export function contractDags(folder: string): string {
  return `
import { appendFileSync, existsSync } from "node:fs";
import { dag, task } from "baram";
const FOLDER = ${JSON.stringify(folder)};

function noted(work) {
  return async (ctx) => {
    const note = (what) => appendFileSync(FOLDER + "/trace.ndjson", JSON.stringify({ what, id: ctx.ti.id, runId: ctx.ti.runId, task: ctx.ti.taskId, attempt: ctx.ti.tryNumber, pid: process.pid, at: Date.now() }) + "\\n");
    note("start");
    await work(ctx, note);
    note("end");
    return ctx.ti.tryNumber;
  };
}
async function untilReleased(ctx) {
  const until = Date.now() + 40_000;
  while (!existsSync(FOLDER + "/release-" + ctx.ti.runId)) {
    if (Date.now() > until) throw new Error("nobody released the task");
    await ctx.sleep({ seconds: 0.02 });
  }
}
const fail = () => { throw new Error("on purpose"); };
function one(dagId, work, settings = {}) {
  dag({ dagId, schedule: null, defaultArgs: { retries: dagId === "broken" ? 0 : 2, retryDelay: { seconds: 0 } } }, () => {
    task({ taskId: "t", ...settings }, noted(work))();
  });
}
one("quick", async () => {});
one("broken", fail);
one("flaky", async (ctx) => { if (ctx.ti.tryNumber === 1) fail(); });
one("held", async (ctx) => { if (ctx.ti.tryNumber === 1) await untilReleased(ctx); });
// Needs the API once it is released.
one("asking", async (ctx) => { await untilReleased(ctx); await ctx.variable("any", { default: "none" }); });
one("second_held", async (ctx) => { if (ctx.ti.tryNumber === 1) fail(); await untilReleased(ctx); });
// Runs past its time limit and ignores its signal until it is killed.
one("deaf", async (ctx, note) => {
  const until = Date.now() + (ctx.ti.tryNumber === 1 ? 60_000 : 0);
  while (Date.now() < until) {
    note("write");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}, { executionTimeout: { seconds: 0.5 } });
dag({ dagId: "many", schedule: null }, () => {
  for (let at = 0; at < 8; at++) task({ taskId: "t" + at }, noted((ctx) => ctx.sleep({ seconds: 0.15 })))();
});
`;
}
