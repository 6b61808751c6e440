/**
 * Frames of the pipe to an evaluation child: 4 bytes of length, big-endian, then that many bytes of JSON. The DAG file
 * shares the child's file descriptors, so whatever arrives may be forged: the reader bounds it and the caller checks it.
 */
export function encodeFrame(message: unknown): Buffer {
  const body = Buffer.from(JSON.stringify(message));
  const frame = Buffer.allocUnsafe(4 + body.length);
  frame.writeUInt32BE(body.length, 0);
  body.copy(frame, 4);
  return frame;
}

/** Takes the stream's chunks and calls back for each whole message. Throws when a frame is over `maxBytes` or is not JSON. */
export function createFrameReader(maxBytes: number, onMessage: (message: unknown) => void): (chunk: Buffer) => void {
  let chunks: Buffer[] = [];
  let heldBytes = 0;
  let neededBytes = 4;
  return (chunk) => {
    chunks.push(chunk);
    heldBytes += chunk.length;
    // Joined only when a frame is complete: joining on every chunk would cost the square of a large answer.
    while (heldBytes >= neededBytes) {
      const held = Buffer.concat(chunks);
      const bodyBytes = held.readUInt32BE(0);
      if (bodyBytes > maxBytes) throw new RangeError(`a frame of ${bodyBytes} bytes is over the limit of ${maxBytes}`);
      const isWhole = heldBytes >= 4 + bodyBytes;
      chunks = isWhole ? [held.subarray(4 + bodyBytes)] : [held];
      if (isWhole) onMessage(JSON.parse(held.toString("utf8", 4, 4 + bodyBytes)));
      heldBytes = chunks[0]?.length ?? 0;
      neededBytes = isWhole ? 4 : 4 + bodyBytes;
    }
  };
}
