import { awsEndpoint, type Config } from "../config/index.ts";
import { BaramError } from "../platform/index.ts";
import { createFolderLogStore, createLayeredLogStore, createS3Place, type LogStore, parseS3Url } from "../task-logs/index.ts";
import type { RemoteLogs } from "../worker/supervisor/index.ts";
import { demandConnection, type FindConnection } from "./find-connection.ts";

/**
 * The remote log store configured in [logging]; null = none. Throws `config_invalid`, so that a wrong value shows at the start and
 * not as missing logs.
 */
export function readRemoteLogs({ logging }: Pick<Config, "logging">): Extract<RemoteLogs, { kind: "s3" }> | null {
  if (!logging.remote_logging) return null;
  const url = logging.remote_base_log_folder;
  if (!url) {
    const remedy = "Set it to s3://bucket/prefix, or remote_logging to false.";
    throw new BaramError("config_invalid", `[logging] remote_logging is on and remote_base_log_folder is not set. ${remedy}`);
  }
  const place = parseS3Url(url);
  if (!place)
    throw new BaramError("config_invalid", `[logging] remote_base_log_folder is "${url}", but must be s3://bucket/prefix.`, {
      url,
    });
  return {
    kind: "s3",
    folder: { ...place, endpointUrl: awsEndpoint("s3") },
    connId: logging.remote_log_conn_id || null,
    deleteLocal: logging.delete_local_logs,
  };
}

/** The logs that the API reads: this machine's folder, and the remote store if there is one. */
export function createConfiguredLogStore(config: Pick<Config, "logging">, findConnection: FindConnection): LogStore {
  const folder = config.logging.base_log_folder;
  const remote = readRemoteLogs(config);
  if (remote === null) return createFolderLogStore(folder);
  const { connId } = remote;
  const connect = connId === null ? null : () => demandConnection(findConnection, connId, "[logging] remote_log_conn_id");
  const place = createS3Place(remote.folder, connect);
  return createLayeredLogStore(folder, { ...place, source: config.logging.remote_base_log_folder ?? "" });
}
