import type { Connection } from "./execution.ts";

/** The settings of a connection of type aws; undefined = not set, and the AWS SDK's default chain is used. */
export type AwsConnection = {
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string } | undefined;
  region: string | undefined;
  endpoint: string | undefined;
  /** Role that is assumed with the credentials. */
  roleArn: string | undefined;
};

/** Reads the fields that Airflow uses: login and password, and named keys of `extra`. */
export function readAwsConnection({ login, password, extra }: Connection): AwsConnection {
  const text = (name: string) => {
    const value = extra[name];
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const accessKeyId = login ?? text("aws_access_key_id");
  const secretAccessKey = password ?? text("aws_secret_access_key");
  const sessionToken = text("aws_session_token");
  return {
    credentials:
      accessKeyId && secretAccessKey
        ? { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) }
        : undefined,
    region: text("region_name"),
    endpoint: text("endpoint_url"),
    roleArn: text("role_arn"),
  };
}
