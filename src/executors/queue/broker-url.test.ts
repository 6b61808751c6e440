import { expect, test } from "vitest";
import { readBrokerUrl, withoutPassword } from "./broker-url.ts";

test("a broker's URL is read with its user, password, port and space", () => {
  expect(readBrokerUrl("redis://localhost")).toMatchObject({
    kind: "redis",
    isTls: false,
    host: "localhost",
    port: 6379,
    space: "",
  });
  expect(readBrokerUrl("rediss://ada:p%40ss@[::1]:7000/3")).toMatchObject({
    kind: "redis",
    isTls: true,
    host: "::1",
    port: 7000,
    user: "ada",
    password: "p@ss",
    space: "3",
    shown: "rediss://ada:***@[::1]:7000/3",
  });
  expect(readBrokerUrl("amqps://u:p@mq/team%2Fa")).toMatchObject({ kind: "rabbitmq", isTls: true, port: 5671, space: "team/a" });
});

test("a URL that is none, of another kind, or with a database that is no number is refused without its password", () => {
  for (const wrong of ["", "localhost:6379", "http://u:hidden@host", "redis://", "redis://u:hidden@host/name"]) {
    const refused = () => readBrokerUrl(wrong);
    expect(refused, wrong).toThrow(expect.objectContaining({ code: "broker_url_invalid" }));
    expect(refused, wrong).not.toThrow(/hidden/);
  }
});

test("a password is taken out of a library's message, as it is and as it stands in the URL", () => {
  const address = readBrokerUrl("redis://u:p%40ss@host");
  expect(withoutPassword("AUTH u p@ss failed for redis://u:p%40ss@host", address)).toBe(
    "AUTH u *** failed for redis://u:***@host",
  );
  expect(withoutPassword("fine", readBrokerUrl("redis://host"))).toBe("fine");
});
