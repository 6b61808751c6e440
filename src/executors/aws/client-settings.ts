import { type Connection, readAwsConnection } from "../../contracts/index.ts";
import { BaramError, toError } from "../../platform/index.ts";

export type AwsAccess = {
  /** null: the connection's, or that of the SDK's provider chain. */
  region: string | null;
  /** The connection whose keys are used; read at the start and whenever AWS refuses them. null: the SDK's provider chain. */
  connect: (() => Promise<Connection>) | null;
};

/** Until a connection is made, and from the request to its answer, and between two pieces of the answer. */
const CONNECTION_TIMEOUT_MS = 5_000;
/** AWS answers in a second; on bad days in 25, and a repeated request would only make it slower. */
const REQUEST_TIMEOUT_MS = 30_000;

export type ClientFacts = {
  requestTimeoutMs?: number;
  /** The difference between AWS's clock and this machine's, which an earlier client has learnt. */
  clockOffsetMs?: number | undefined;
};

/**
 * The settings of every AWS client. What neither an option nor the connection sets comes from the SDK's provider chain:
 * AWS_ENDPOINT_URL, AWS_PROFILE, the role of the container or the machine. The SDK's own retries are off: a second layer of retries
 * would hide throttling and multiply attempts.
 */
export async function clientSettings(access: AwsAccess, facts: ClientFacts = {}) {
  const timeoutMs = facts.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
  const connection = access.connect === null ? null : await access.connect();
  const named = connection === null ? null : readAwsConnection(connection);
  if (named?.roleArn)
    throw new BaramError(
      "config_invalid",
      `Connection "${connection?.connId}" names a role_arn, which an executor cannot assume: give the scheduler that role, or a profile with it in AWS_PROFILE, and leave conn_id empty.`,
      { connId: connection?.connId ?? null },
    );
  const region = access.region ?? named?.region;
  return {
    ...(region === undefined ? {} : { region }),
    ...(named?.endpoint ? { endpoint: named.endpoint } : {}),
    ...(named?.credentials ? { credentials: named.credentials } : {}),
    maxAttempts: 1,
    systemClockOffset: facts.clockOffsetMs ?? 0,
    requestHandler: {
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      requestTimeout: timeoutMs,
      // `requestTimeout` ends with the first byte of the answer, so a body that stops to come would be awaited for ever.
      socketTimeout: timeoutMs,
      throwOnRequestTimeout: true,
    },
  };
}

/** Throws `config_invalid` if neither an option, the connection nor the SDK's provider chain sets a region. */
export async function checkRegion(client: { config: { region: () => Promise<string> } }, section: string): Promise<void> {
  try {
    await client.config.region();
  } catch (error) {
    throw new BaramError(
      "config_invalid",
      `[${section}] region_name is not set, and neither AWS_REGION nor the profile of ~/.aws/config names a region. Set one of them. (${toError(error).message})`,
      { section },
      error,
    );
  }
}
