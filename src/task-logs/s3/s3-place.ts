import type { GetObjectCommandOutput, S3Client } from "@aws-sdk/client-s3";
import { type Connection, readAwsConnection } from "../../contracts/index.ts";
import { BaramError, timeoutSignal } from "../../platform/index.ts";

/** A folder in S3 and its server; `endpointUrl` null = AWS. */
export type S3Folder = { bucket: string; prefix: string; endpointUrl: string | null };

/** The objects below a folder in S3. All methods reject if S3 does not answer or refuses the request. */
export type S3Place = {
  /** In bytes; null = there is no such object. */
  size(path: string): Promise<number | null>;
  /** The bytes from `start` up to `end`, exclusive; null = there is no such object. */
  read(path: string, start: number, end: number): Promise<Buffer | null>;
  put(path: string, body: AsyncIterable<Buffer>, sizeBytes: number): Promise<void>;
};

/** Timeout for S3's answer to a request, and the slowest rate at which it may receive data. */
const ANSWER_MS = 20_000;
const SLOWEST_BYTES_PER_SEC = 512 * 1024;
/** The client is created again after this time, so that changes of the connection take effect. */
const CLIENT_MAX_AGE_MS = 10 * 60_000;

/** Splits `s3://bucket/prefix`; null = the URL has another form. */
export function parseS3Url(url: string): { bucket: string; prefix: string } | null {
  const [, bucket, prefix] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(url) ?? [];
  return bucket === undefined ? null : { bucket, prefix: (prefix ?? "").replace(/^\/+|\/+$/g, "") };
}

/**
 * `connect`: returns the connection with the keys; called again from time to time. null = the SDK's default chain (environment,
 * role of the machine …).
 */
export function createS3Place(folder: S3Folder, connect: (() => Promise<Connection>) | null): S3Place {
  const { bucket, prefix } = folder;
  let made: { at: number; client: Promise<S3Client> } | null = null;
  const keyOf = (path: string) => (prefix === "" ? path : `${prefix}/${path}`);

  /** The package is loaded on first use: most supervisors never need it. */
  async function use<T>(work: (client: S3Client, sdk: typeof import("@aws-sdk/client-s3")) => Promise<T>): Promise<T> {
    const sdk = await import("@aws-sdk/client-s3");
    if (made === null || Date.now() - made.at > CLIENT_MAX_AGE_MS) {
      const client = makeClient(sdk.S3Client, folder, connect);
      made = { at: Date.now(), client };
      client.catch(() => {
        made = null;
      });
    }
    try {
      return await work(await made.client, sdk);
    } catch (error) {
      // The keys may have been replaced in the meantime.
      if (statusOf(error) === 403) made = null;
      throw error;
    }
  }

  return {
    size: (path) =>
      orNull(() =>
        use(async (client, { HeadObjectCommand }) => {
          const head = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: keyOf(path) }), limited());
          return head.ContentLength ?? 0;
        }),
      ),
    read: (path, start, end) =>
      orNull(() =>
        use(async (client, { GetObjectCommand }) => {
          if (end <= start) return Buffer.alloc(0);
          const Range = `bytes=${start}-${end - 1}`;
          const found = await client.send(new GetObjectCommand({ Bucket: bucket, Key: keyOf(path), Range }), limited());
          return bytesOf(found);
        }),
      ),
    put: (path, body, sizeBytes) =>
      use(async (client, { PutObjectCommand }) => {
        const { Readable } = await import("node:stream");
        const object = { Bucket: bucket, Key: keyOf(path), Body: Readable.from(body), ContentLength: sizeBytes };
        await client.send(new PutObjectCommand({ ...object, ContentType: "application/x-ndjson" }), limited(sizeBytes));
      }),
  };
}

function limited(sizeBytes = 0): { abortSignal: AbortSignal } {
  return { abortSignal: timeoutSignal(Math.ceil(ANSWER_MS + (sizeBytes / SLOWEST_BYTES_PER_SEC) * 1_000)) };
}

async function makeClient(
  Client: typeof S3Client,
  { endpointUrl, bucket }: S3Folder,
  connect: (() => Promise<Connection>) | null,
): Promise<S3Client> {
  const connection = connect === null ? null : await connect();
  const named = connection === null ? null : readAwsConnection(connection);
  if (named?.roleArn)
    throw new BaramError(
      "log_store_invalid",
      `Connection "${connection?.connId}" names a role_arn, which logs cannot be written under: give the worker that role and leave [logging] remote_log_conn_id empty.`,
      { bucket },
    );
  const endpoint = named?.endpoint ?? endpointUrl ?? undefined;
  return new Client({
    ...(named?.region ? { region: named.region } : {}),
    // A server other than AWS has no host name for each bucket.
    ...(endpoint ? { endpoint, forcePathStyle: true } : {}),
    ...(named?.credentials ? { credentials: named.credentials } : {}),
    // The SDK would print a failed put on the console, in addition to the error itself.
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    followRegionRedirects: true,
    // Shippers and readers retry on their own; and a streamed body cannot be sent twice.
    maxAttempts: 1,
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
}

async function bytesOf({ Body }: GetObjectCommandOutput): Promise<Buffer> {
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

async function orNull<T>(ask: () => Promise<T>): Promise<T | null> {
  try {
    return await ask();
  } catch (error) {
    const { name } = error as Error;
    // A missing bucket is an error, not a missing log.
    if (name === "NoSuchKey" || (name === "NotFound" && statusOf(error) === 404)) return null;
    throw error;
  }
}
