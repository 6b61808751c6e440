import { type Connection, readAwsConnection } from "../../contracts/index.ts";
import { BaramError, toError } from "../../platform/index.ts";

export type AwsAccess = {
  /** null: the connection's, or that of the SDK's provider chain. */
  region: string | null;
  /** The connection whose keys are used; read at the start and whenever AWS refuses them. null: the SDK's provider chain. */
  connect: (() => Promise<Connection>) | null;
};

/**
 * The settings of every AWS client. What neither an option nor the connection sets comes from the SDK's provider chain:
 * AWS_ENDPOINT_URL, AWS_PROFILE, the role of the container or the machine. The SDK's own retries are off: a second layer of retries
 * would hide throttling and multiply attempts.
 */
export async function clientSettings(access: AwsAccess, requestTimeoutMs = 15_000) {
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
    requestHandler: { connectionTimeout: 5_000, requestTimeout: requestTimeoutMs, throwOnRequestTimeout: true },
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
