import { environmentSecrets } from "../../config/index.ts";
import type { RunnerCalls } from "../../contracts/index.ts";
import { answerCall } from "../../execution-api/index.ts";
import {
  BaramError,
  createTokens,
  learnFromCall,
  type Masker,
  silentLogger,
  silentMetrics,
  systemClock,
} from "../../platform/index.ts";
import { createDagCache } from "../../scheduler/commands/index.ts";
import type { Session } from "../session.ts";

/** The runner's read-only calls. */
export type ReadMethod = "getXcom" | "getXcomPage" | "getConnection" | "getVariable" | "getDagRunState" | "getTaskStates";
export type Reader = <M extends ReadMethod>(method: M, params: RunnerCalls[M]["params"]) => Promise<RunnerCalls[M]["result"]>;

/**
 * Answers like the execution API, directly from the database. Connections and variables of the environment are answered without
 * opening the database. Secrets in answers are added to the masker.
 */
export function createReader(session: () => Promise<Session>, masker: Masker): Reader {
  const secrets = environmentSecrets();
  const dags = createDagCache();
  const tokens = createTokens(new Uint8Array(32));

  const fromEnvironment = (method: ReadMethod, params: object): unknown => {
    if (method === "getConnection" && "connId" in params) return secrets.connection(String(params.connId));
    if (method !== "getVariable" || !("key" in params)) return null;
    const value = secrets.variable(String(params.key));
    return value === null ? null : { value };
  };

  return async (method, params) => {
    type Answer = RunnerCalls[typeof method]["result"];
    const known = fromEnvironment(method, params);
    let answer = known as Answer;
    if (known === null) {
      const opened = await session().catch((error: unknown) => {
        // A test before the first start: nothing is stored yet, so the DAG's defaults apply.
        if (isStored(method) && error instanceof BaramError && error.code === "database_missing") return null;
        throw error;
      });
      if (opened === null) return null as Answer;
      const { store, cipher } = opened;
      const silent = { logger: silentLogger, metrics: silentMetrics };
      const resources = { store, dags, tokens, cipher: cipher(), secrets, clock: systemClock, ...silent };
      // Reading needs no rights of a try, and nothing is written.
      const limits = {
        xcomMaxBytes: 0,
        maxMapLength: 0,
        templatedFieldMaxLength: 0,
        allowedRunId: /^/,
        allowTriggerInFuture: false,
        workerLostAfterSec: 0,
      };
      const options = { tokenTtlSec: 0, defaultExecutor: "", ...limits };
      answer = await answerCall({ tryId: "", resources, options }, method, params);
    }
    learnFromCall(masker, method, params, answer);
    return answer;
  };
}

/** Items that a DAG may read although they do not exist. */
function isStored(method: ReadMethod): boolean {
  return method === "getConnection" || method === "getVariable";
}
