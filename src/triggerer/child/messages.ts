import type { JsonObject, LogRecord, TriggerEnd, TriggerTask } from "../../contracts/index.ts";
import type { TriggerCalls, TriggerMethod } from "../contract.ts";

/** Triggerer → child. */
export type ToChild =
  | { type: "start"; id: number; modulePath: string; name: string; kwargs: JsonObject; task: TriggerTask }
  /** The trigger was cancelled. */
  | { type: "cancel"; id: number }
  /** Answered by the event loop; a process that does not answer is blocked. */
  | { type: "ping" }
  | { type: "answer"; call: number; ok: true; result: unknown }
  | { type: "answer"; call: number; ok: false; message: string };

/**
 * Child → triggerer. It shares its file descriptors with user code, so whatever arrives may be forged, and is checked by
 * `fromChildSchema`.
 */
export type FromChild =
  | { type: "ready" }
  | { type: "pong" }
  /** The module's code has run: if the process ends from now on, a trigger is the cause. */
  | { type: "loaded"; modulePath: string }
  | { type: "end"; id: number; end: TriggerEnd }
  /** Cancelled, and cleaned up. */
  | { type: "stopped"; id: number }
  | ({ type: "log"; id: number } & LogRecord)
  | { type: "blocked"; blockedMs: number }
  | { type: "call"; call: number; id: number; method: TriggerMethod; params: TriggerCalls[TriggerMethod]["params"] };
