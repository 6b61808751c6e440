import { expect, test } from "vitest";
import { parseConnection } from "./connection-uri.ts";

const read = (text: string) => parseConnection("c", text);
const blank = { connId: "c", description: null, host: null, schema: null, login: null, password: null, port: null, extra: {} };

test("every part of a URI is taken apart and percent-decoded", () => {
  expect(read("Google-Cloud://us%40er:p%2Fa%3As%40s@host.example:5432/my%20db?a=1&b=%26x")).toEqual({
    ...blank,
    connType: "google_cloud",
    login: "us@er",
    password: "p/a:s@s",
    host: "host.example",
    port: 5432,
    schema: "my db",
    extra: { a: "1", b: "&x" },
  });
});

test("extras that are nested too deep are refused before anything walks them", () => {
  const deep = `${'{"a":'.repeat(40_000)}1${"}".repeat(40_000)}`;
  for (const text of [
    `{"conn_type":"x","extra":${deep}}`,
    `{"conn_type":"x","extra":${JSON.stringify(deep)}}`,
    `x://h?__extra__=${encodeURIComponent(deep)}`,
  ])
    expect(() => read(text)).toThrow("must not be nested deeper than 1000 levels");
});

test("parts may be left out", () => {
  expect(read("http://")).toEqual({ ...blank, connType: "http" });
  expect(read("http://host")).toEqual({ ...blank, connType: "http", host: "host" });
  expect(read("x://:secret@")).toEqual({ ...blank, connType: "x", password: "secret" });
  expect(read("x://%2Fvar%2Frun:5432")).toMatchObject({ host: "/var/run", port: 5432 });
  expect(read("x://[::1]:80/")).toMatchObject({ port: 80 });
});

test("__extra__ holds nested extras as JSON", () => {
  const extra = { nested: { list: [1, true, null] } };
  expect(read(`x://h?__extra__=${encodeURIComponent(JSON.stringify(extra))}`).extra).toEqual(extra);
});

test("a JSON object may use either spelling, and extra as text or object", () => {
  const expected = { ...blank, connType: "postgres", host: "h", port: 5, extra: { a: 1 } };
  expect(read('{"conn_type": "postgres", "host": "h", "port": "5", "extra": "{\\"a\\": 1}"}')).toEqual(expected);
  expect(read(' {"connType": "postgres", "host": "h", "port": 5, "extra": {"a": 1}}')).toEqual(expected);
});

test("whatever is wrong, the message names the connection and never shows the password", () => {
  const bad = [
    "hunter22",
    "://u:hunter22@h",
    "x://u:hunter22@h:port",
    "x://u:hunter22@h:99999",
    "x://u:hunter22@h:0",
    "x://u:hunter22%@h",
    "x://u:hunter22%zz@h",
    "x://u:hun@hunter22@h",
    "x://u:hunter22@h?__extra__=[1]",
    "x://u:hunter22@h?__extra__={hunter22",
    '{"password": "hunter22"}',
    '{"conn_type": "x", "password": "hunter22", "port": "many"}',
    '{"conn_type": "x", "password": "hunter22", "nope": 1}',
    '{"conn_type": "x", "password": ["hunter22"]}',
    '{"conn_type": "x", "password": "hunter22", "extra": "[]"}',
    '{"conn_type": "x", "password": "hunter22"',
  ];
  for (const text of bad) {
    let message = "";
    try {
      read(text);
    } catch (error) {
      expect(error).toMatchObject({ code: "connection_invalid" });
      message = (error as Error).message;
    }
    expect(message, text).toContain('Connection "c" cannot be read');
    expect(message).not.toContain("hunter22");
  }
});

test("an extra that is no object is refused, in JSON as in a URI", () => {
  for (const extra of ["7", "[1]", "true"]) expect(() => read(`{"conn_type": "x", "extra": ${extra}}`), extra).toThrow("extra");
});
