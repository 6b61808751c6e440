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

test("a URL of Redis Sentinel names several hosts, the service, and the Sentinels' own password", () => {
  expect(readBrokerUrl("redis+sentinel://ada:p%40ss@one:26379,two,[::1]:7/main/2?sentinel_password=s3")).toMatchObject({
    kind: "redis",
    isTls: false,
    user: "ada",
    password: "p@ss",
    space: "2",
    sentinel: {
      hosts: [
        { host: "one", port: 26379 },
        { host: "two", port: 26379 },
        { host: "::1", port: 7 },
      ],
      service: "main",
      user: "",
      password: "s3",
    },
    shown: "redis+sentinel://ada:***@one:26379,two,[::1]:7/main/2",
  });
  expect(readBrokerUrl("rediss+sentinel://:pw@one/main")).toMatchObject({ isTls: true, user: "", password: "pw", space: "" });
  expect(readBrokerUrl("sentinel://one/main")).toMatchObject({ isTls: false, sentinel: { service: "main" } });
  for (const wrong of ["redis+sentinel://one", "sentinel://one/", "sentinel://one/main/x", "sentinel://one/main?master=b"])
    expect(() => readBrokerUrl(wrong), wrong).toThrow(expect.objectContaining({ code: "broker_url_invalid" }));
});

test("a URL of Redis Cluster is refused with what to use instead", () => {
  for (const cluster of ["redis+cluster://u:hidden@host", "rediss+cluster://host", "redis-cluster://host", "cluster://host"])
    expect(() => readBrokerUrl(cluster), cluster).toThrow(
      /starts with "[a-z+-]*cluster:\/\/"; Redis Cluster is not supported. Use a Redis without cluster mode/,
    );
});

test("a percent sign that encodes nothing is told with its place", () => {
  expect(() => readBrokerUrl("redis://u:50%25@host")).not.toThrow();
  expect(() => readBrokerUrl("redis://u:hidden50%@host")).toThrow(/has a password with a "%"/);
});
