import type { EmailRequest } from "../contracts/index.ts";
import { escapeHtml } from "../mail/index.ts";
import { fillTemplate, type TemplateValues } from "./fill-template.ts";

export type AlertTexts = {
  /** Content of the template files; null = Baram's own template. */
  subjectTemplate: string | null;
  htmlTemplate: string | null;
  /** The URL at which people reach Baram; null = alerts contain no links. */
  baseUrl: string | null;
};

const SUBJECT = "Baram alert: {{ ti }}";
const HTML = `<p>{{ headline }}</p>
<table>
<tr><th align="left">DAG</th><td>{{ ti.dag_id }}</td></tr>
<tr><th align="left">Task</th><td>{{ task_name }}</td></tr>
<tr><th align="left">Run</th><td>{{ ti.run_id }}</td></tr>
<tr><th align="left">Try</th><td>{{ try_number }} of {{ max_attempts }}</td></tr>
<tr><th align="left">Started</th><td>{{ ti.start_date }}</td></tr>
<tr><th align="left">Ended</th><td>{{ ti.end_date }}</td></tr>
<tr><th align="left">Host</th><td>{{ ti.hostname }}</td></tr>
</table>
<p>Exception:</p>
<pre>{{ exception_html }}</pre>
`;
const LINKS = `<p><a href="{{ ti.log_url }}">Log</a> · <a href="{{ ti.mark_success_url }}">Mark success</a></p>
`;

/** Subject and body of an alert. Values from data are escaped in the body. */
export function composeAlert(request: EmailRequest, texts: AlertTexts): { subject: string; html: string } {
  const values = valuesOf(request, texts.baseUrl);
  const html = texts.htmlTemplate ?? (texts.baseUrl === null ? HTML : HTML + LINKS);
  return {
    subject: fillTemplate(texts.subjectTemplate ?? SUBJECT, values, (value) => value).slice(0, 500),
    html: fillTemplate(html, values, escapeHtml),
  };
}

/** Airflow's names if it has them; "exception" is one line, "exception_html" the whole stack trace. */
function valuesOf(request: EmailRequest, baseUrl: string | null) {
  const { dagId, runId, taskId, mapIndex, tryNumber, maxTries, error, kind } = request;
  const state = kind === "retry" ? "up_for_retry" : "failed";
  const taskName = mapIndex >= 0 ? `${taskId}[${mapIndex}]` : taskId;
  const path = `dags/${encodeURIComponent(dagId)}/runs/${encodeURIComponent(runId)}/tasks/${encodeURIComponent(taskId)}${mapIndex >= 0 ? `/mapped/${mapIndex}` : ""}`;
  const page = baseUrl === null ? "" : `${baseUrl}/${path}`;
  const exception = `${error.name}: ${error.message}`;
  return {
    headline: kind === "retry" ? "A try failed; the task will be tried again." : "The task failed.",
    ti: `<TaskInstance: ${dagId}.${taskName} ${runId} [${state}]>`,
    "ti.dag_id": dagId,
    "ti.task_id": taskId,
    "ti.run_id": runId,
    "ti.map_index": String(mapIndex),
    "ti.state": state,
    "ti.try_number": String(tryNumber),
    "ti.max_tries": String(maxTries),
    "ti.start_date": request.startDate ?? "never",
    "ti.end_date": request.endDate,
    "ti.hostname": request.hostname ?? "none",
    "ti.log_url": page === "" ? "" : `${page}?try_number=${tryNumber}`,
    "ti.mark_success_url": page,
    task_name: taskName,
    try_number: String(tryNumber),
    max_tries: String(maxTries),
    // A cleared task may have more tries than its retries allow.
    max_attempts: String(Math.max(tryNumber, maxTries + 1)),
    exception,
    exception_html: error.stack ?? exception,
  } satisfies TemplateValues;
}

/** The names that templates may contain. */
export const ALERT_NAMES: readonly string[] = Object.keys(
  valuesOf(
    {
      kind: "failure",
      isByDefault: true,
      to: [],
      dagId: "",
      runId: "",
      taskId: "",
      mapIndex: -1,
      tryNumber: 1,
      maxTries: 0,
      hostname: null,
      startDate: null,
      endDate: "",
      error: { name: "", message: "", stack: null },
    },
    null,
  ),
);
