import type { JsonObject, TriggerEnd, TriggerTask } from "../../contracts/index.ts";
import type { LogLevel, TriggerCalls, TriggerMethod } from "../contract.ts";

/** Triggerer → child. */
export type ToChild =
  | { type: "start"; id: number; modulePath: string; name: string; kwargs: JsonObject; task: TriggerTask }
  /** Nobody waits for the trigger any more. */
  | { type: "cancel"; id: number }
  /** To be answered by the event loop: who does not is blocked. */
  | { type: "ping" }
  | { type: "answer"; call: number; ok: true; result: unknown }
  | { type: "answer"; call: number; ok: false; message: string };

/** Child → triggerer. It shares its file descriptors with user code, so whatever arrives may be forged and is checked. */
export type FromChild =
  | { type: "ready" }
  | { type: "pong" }
  /** Its code has run: whatever ends the process from now on is a trigger's doing. */
  | { type: "loaded"; modulePath: string }
  | { type: "end"; id: number; end: TriggerEnd }
  /** Cancelled, and cleaned up. */
  | { type: "stopped"; id: number }
  | { type: "log"; id: number; level: LogLevel; message: string; facts?: JsonObject }
  | { type: "blocked"; blockedMs: number }
  | { type: "call"; call: number; id: number; method: TriggerMethod; params: TriggerCalls[TriggerMethod]["params"] };
