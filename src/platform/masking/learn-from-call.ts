import type { ConnectionSecrets, Masker } from "./masker.ts";

/**
 * Teaches the masker the secrets in a call of user code to the platform and in its answer. Called before the call, with null, and after
 * it; so a secret that a task sets is known even if the call fails.
 */
export function learnFromCall(masker: Masker, method: string, params: unknown, answer: unknown): void {
  switch (method) {
    case "getConnection":
      if (isObject(answer) && isObject(answer.extra)) masker.addConnection(answer as ConnectionSecrets);
      return;
    case "getVariable":
      if (isObject(answer)) masker.addNamed(keyOf(params), answer.value);
      return;
    case "setVariable":
      if (isObject(params)) masker.addNamed(keyOf(params), params.value);
      return;
    case "setXcom":
    case "getXcom": {
      // XComs are data: only what their key calls a secret is one.
      const value = method === "setXcom" ? params : answer;
      if (isObject(value) && masker.isSensitive(keyOf(params))) masker.addNamed(keyOf(params), value.value);
      return;
    }
    case "maskSecret":
      if (isObject(params)) masker.addValue(params.value);
  }
}

function keyOf(params: unknown): string {
  return isObject(params) && typeof params.key === "string" ? params.key : "";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
