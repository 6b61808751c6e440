import { BaramError, toError } from "../../platform/index.ts";

/**
 * What every client of AWS is made with. Endpoints and credentials are the SDK's own chain's: AWS_ENDPOINT_URL, AWS_PROFILE, the role of
 * the container or the machine. No retries of the SDK's own: a second layer of them would hide throttles and multiply attempts.
 */
export function clientSettings(region: string | null, requestTimeoutMs = 15_000) {
  return {
    ...(region === null ? {} : { region }),
    maxAttempts: 1,
    requestHandler: { connectionTimeout: 5_000, requestTimeout: requestTimeoutMs, throwOnRequestTimeout: true },
  };
}

/** Throws `config_invalid` where neither the option nor the SDK's chain knows a region. */
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
