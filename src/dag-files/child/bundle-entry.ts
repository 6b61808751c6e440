// The process in which DAG files are bundled. It runs no user code. It answers on file descriptor 3, one request at a time. An error that
// nothing catches ends it; its parent makes that the import error of the file.

import { Socket } from "node:net";
import { openWire, toError } from "../../platform/index.ts";
import { bundleDagFile } from "../bundle-dag-file.ts";
import { DagFileError } from "../import-error.ts";
import type { BundleMessage, BundleRequest } from "./bundle-messages.ts";

const wire = openWire<BundleRequest, BundleMessage>(new Socket({ fd: 3, readable: true, writable: true }), {
  message: (request) => void answer(request),
  // The parent has ended. The bundler's own process ends with this one.
  close: () => process.exit(),
});

send({ type: "ready" });

async function answer({ path, root, importFolders }: BundleRequest): Promise<void> {
  try {
    await wire.send({ type: "bundled", bundle: await bundleDagFile(path, root, importFolders) });
  } catch (error) {
    if (error instanceof DagFileError) send({ type: "refused", error: error.error });
    else send({ type: "failed", message: toError(error).message });
  }
}

function send(message: BundleMessage): void {
  wire.send(message).catch(() => process.exit(1));
}
