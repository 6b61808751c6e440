/** Facts that identify the subject of a line are printed first, in this order; the others follow. */
const ABOUT = ["dagId", "runId", "taskId", "mapIndex", "tryNumber", "state"];
const NAMES: Readonly<Record<number, string>> = { 20: "DEBUG", 30: "INFO", 40: "WARN", 50: "ERROR", 60: "FATAL" };
const COLOURS: Readonly<Record<number, string>> = {
  20: "\u001b[2m",
  30: "\u001b[32m",
  40: "\u001b[33m",
  50: "\u001b[31m",
  60: "\u001b[31m",
};
const DIM = "\u001b[2m";
const PLAIN = "\u001b[0m";

/** Formats a line of the JSON log for people: time, level, role, message, facts. A stack trace follows on lines of its own. */
export function readableLine(json: string, isColoured: boolean): string {
  const { level, time, role, pid: _pid, msg, stack, ...facts } = JSON.parse(json) as Record<string, unknown>;
  const paint = (colour: string, text: string) => (isColoured ? `${colour}${text}${PLAIN}` : text);
  const when = String(time).replace("T", " ").replace("Z", "");
  const name = (NAMES[Number(level)] ?? String(level)).padEnd(5);
  const rest = Object.keys(facts).filter((key) => !ABOUT.includes(key));
  const said = [...ABOUT.filter((key) => key in facts), ...rest].map((key) => paint(DIM, `${key}=`) + shown(facts[key]));
  const head = `${paint(DIM, when)} ${paint(COLOURS[Number(level)] ?? "", name)} ${paint(DIM, String(role).padEnd(ROLE_WIDTH))} ${msg}`;
  const trace = typeof stack === "string" ? `\n${stack.replaceAll(/^/gm, "    ")}` : "";
  return `${[head, ...said].join("  ")}${trace}\n`;
}

/** Length of the longest role name. */
const ROLE_WIDTH = "dag-processor".length;

/** Quoted if it would be ambiguous otherwise. Control characters in ids or messages never reach the terminal. */
function shown(value: unknown): string {
  if (typeof value === "number") return String(Math.round(value * 1_000) / 1_000);
  if (typeof value === "string") return /^[^\s"=\p{Cc}]+$/u.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value) ?? "";
}
