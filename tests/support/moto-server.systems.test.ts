import { afterAll, beforeAll, expect, it } from "vitest";
import { type MotoServer, startMotoServer } from "./moto-server.ts";

let moto: MotoServer;
beforeAll(async () => {
  moto = await startMotoServer();
}, 180_000);
afterAll(() => moto?.stop());

// moto does not verify AWS's signature, but its form determines the service.
const headers = {
  authorization: "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0",
};

it("keeps what is put, and forgets it when reset", async () => {
  const ask = async (method: string, path: string, body?: string) => {
    const response = await fetch(`${moto.url}${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
    return { status: response.status, text: await response.text() };
  };
  expect((await ask("PUT", "/a-bucket")).status).toBe(200);
  expect((await ask("PUT", "/a-bucket/a/key", "a line\n")).status).toBe(200);
  expect(await ask("GET", "/a-bucket/a/key")).toEqual({ status: 200, text: "a line\n" });
  await moto.reset();
  expect((await ask("GET", "/a-bucket/a/key")).status).toBe(404);
});

it("ends at stop, and starts anew at the same port, empty", async () => {
  const { port } = new URL(moto.url);
  await moto.stop();
  await expect(fetch(moto.url)).rejects.toThrow();
  moto = await startMotoServer({ port: Number(port) });
  expect(new URL(moto.url).port).toBe(port);
  expect((await fetch(`${moto.url}/a-bucket/a/key`, { headers })).status).toBe(404);
});
