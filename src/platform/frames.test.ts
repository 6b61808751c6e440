import { Duplex } from "node:stream";
import fc from "fast-check";
import { expect, test } from "vitest";
import { isUnsendable, openWire } from "./frames.ts";

/** A socket; the test reads and writes its other end. */
function fakeSocket() {
  const written: Buffer[] = [];
  const socket = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk);
      done();
    },
  });
  return { socket, written };
}

function open(maxBytes?: number) {
  const { socket, written } = fakeSocket();
  const messages: unknown[] = [];
  const closes: (Error | null)[] = [];
  const on = { message: (message: unknown) => messages.push(message), close: (fault: Error | null) => closes.push(fault) };
  const wire = openWire<unknown, unknown>(socket, on, maxBytes);
  return { socket, written, messages, closes, wire };
}

function frame(body: string | Buffer, length = Buffer.byteLength(body)): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(length);
  return Buffer.concat([head, Buffer.from(body)]);
}
const codeOf = (fault: Error | null | undefined) => (fault as { code?: string } | null | undefined)?.code;

test("a stream that is split at any byte gives the same messages", () => {
  const sent = [{ a: "ü€😀" }, [], "", null, { deep: [1, { b: false }] }];
  const stream = Buffer.concat(sent.map((message) => frame(JSON.stringify(message))));
  for (let at = 0; at <= stream.length; at++) {
    const { socket, messages } = open();
    socket.emit("data", stream.subarray(0, at));
    socket.emit("data", stream.subarray(at));
    expect(messages).toEqual(sent);
  }
});

test("what is sent is what is received, however it is cut into chunks", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.jsonValue(), { maxLength: 20 }), fc.array(fc.nat(30)), async (sent, cuts) => {
      const sender = open();
      for (const message of sent) await sender.wire.send(message);
      let rest = Buffer.concat(sender.written);
      const { socket, messages, closes } = open();
      for (const cut of cuts) {
        socket.emit("data", rest.subarray(0, cut));
        rest = rest.subarray(cut);
      }
      socket.emit("data", rest);
      // JSON has no -0.
      expect(messages).toEqual(JSON.parse(JSON.stringify(sent)));
      expect(closes).toEqual([]);
    }),
    { numRuns: 200 },
  );
});

test("a frame that is announced too long closes the wire before its bytes are there, once, and nothing after it counts", () => {
  const { socket, messages, closes } = open(100);
  socket.emit("data", Buffer.concat([frame('"first"'), frame("", 101), frame('"after"')]));
  socket.emit("data", frame('"later"'));
  expect(messages).toEqual(["first"]);
  expect(closes.map(codeOf)).toEqual(["frame_too_long"]);
  expect(socket.destroyed).toBe(true);
});

test("a frame of the longest length passes", () => {
  const { socket, messages } = open(9);
  socket.emit("data", frame('"1234567"'));
  expect(messages).toEqual(["1234567"]);
});

test("a frame that is no JSON closes the wire once, with the fault and not with its text", () => {
  for (const body of ["", "{", "not json hunter22", Buffer.from([0xff, 0xfe])]) {
    const { socket, messages, closes } = open();
    socket.emit("data", Buffer.concat([frame(body), frame('"after"')]));
    socket.emit("end");
    socket.emit("close");
    expect(messages).toEqual([]);
    expect(closes.map(codeOf)).toEqual(["frame_malformed"]);
    expect(closes[0]?.message).not.toContain("hunter22");
  }
});

test("the other end's end, error or close is told once, and sending is refused from then on", async () => {
  const fault = new Error("reset");
  for (const [event, given] of [
    ["end", null],
    ["close", null],
    ["error", fault],
  ] as const) {
    const { socket, closes, wire } = open();
    socket.emit(event, given);
    socket.emit("close");
    expect(closes).toEqual([given]);
    await expect(wire.send("x")).rejects.toMatchObject({ code: "wire_closed" });
  }
});

test("a message too long to be taken is refused before it is sent, and the wire goes on", async () => {
  const { wire, written } = open(50);
  await expect(wire.send("x".repeat(60))).rejects.toMatchObject({ code: "frame_too_long" });
  expect(written).toEqual([]);
  await wire.send("x");
  expect(Buffer.concat(written)).toEqual(frame('"x"'));
});

test("what JSON cannot hold is refused as what is too long is, and the wire goes on", async () => {
  const { wire, written } = open();
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  for (const message of [circle, { n: 1n }]) {
    const error = await wire.send(message).catch((thrown) => thrown);
    expect(isUnsendable(error), String(error)).toBe(true);
  }
  await wire.send("x");
  expect(Buffer.concat(written)).toEqual(frame('"x"'));
});
