export { type BuiltinContext, runBuiltin } from "./builtin/index.ts";
export type {
  ClaimedTrigger,
  EndedTrigger,
  PausePoint,
  TriggerCaller,
  TriggererOptions,
  TriggererResources,
  TriggererStore,
  TriggerLog,
} from "./contract.ts";
export { startTriggerer, type Triggerer } from "./triggerer.ts";
