import { learnFromCall, type Masker } from "../../platform/index.ts";
import type { RunnerCaller } from "./runner-caller.ts";

/** The caller, with a masker that learns the secrets in its calls and their answers. */
export function createLearningCaller(caller: RunnerCaller, masker: Masker): RunnerCaller {
  return {
    async call(method, params) {
      learnFromCall(masker, method, params, null);
      const answer = await caller.call(method, params);
      learnFromCall(masker, method, params, answer);
      return answer;
    },
  };
}
