import { html } from "hono/html";
import type { QueueCount } from "../../executors/queue/index.ts";
import type { ListedWorker } from "../../store/index.ts";

export type Overview = {
  /** null = the broker cannot be reached now. */
  counts: readonly QueueCount[] | null;
  workers: readonly ListedWorker[];
  hasBoard: boolean;
};

/** Queues and workers, for both brokers; values are escaped by the template. */
export function overviewPage({ counts, workers, hasBoard }: Overview) {
  const queues = counts?.map(
    ({ queue, waiting, taken, isServed }) =>
      html`<tr><td>${queue}</td><td>${waiting}</td><td>${taken ?? "not told"}</td><td>${isServed ? "yes" : "no: its tasks wait"}</td></tr>`,
  );
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5"><title>Baram monitor</title>
<style>body{font:15px system-ui,sans-serif;margin:2rem;color:#222}table{border-collapse:collapse;margin-bottom:2rem}
td,th{border:1px solid #ccc;padding:.3rem .7rem;text-align:left}th{background:#f4f4f4}</style></head><body>
<h1>Baram monitor</h1>
<h2>Queues</h2>
${
  queues === undefined
    ? html`<p>The broker cannot be reached.</p>`
    : html`<table><tr><th>queue</th><th>waiting</th><th>with workers</th><th>served</th></tr>${queues}</table>`
}
${hasBoard ? html`<p><a href="/board">The messages themselves</a></p>` : ""}
<h2>Workers</h2>
<table><tr><th>name</th><th>state</th><th>host</th><th>process</th><th>queues</th><th>running</th><th>concurrency</th><th>last heard of</th><th>version</th></tr>
${workers.map(
  (one) =>
    html`<tr><td>${one.name}</td><td>${one.state}</td><td>${one.hostname}</td><td>${one.pid}</td><td>${one.queues.join(", ")}</td><td>${one.active}</td><td>${one.concurrency}</td><td>${one.lastHeartbeat.toISOString()}</td><td>${one.version}</td></tr>`,
)}</table></body></html>`;
}
