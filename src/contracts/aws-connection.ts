import type { Connection } from "./execution.ts";

/** What a connection of type aws says; undefined where it says nothing, and the SDK's own chain is asked. */
export type AwsConnection = {
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string } | undefined;
  region: string | undefined;
  endpoint: string | undefined;
  /** To be assumed with the credentials. */
  roleArn: string | undefined;
};

/** In the fields that Airflow keeps it in: login and password, and by their names in `extra`. */
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
