import { expect, test } from "vitest";
import { loadConfig } from "../config/index.ts";
import { trustedProxies } from "./trusted-proxies.ts";

const read = (text: string) => trustedProxies(loadConfig({ BARAM_HOME: "/nowhere/at/all", BARAM__API__TRUSTED_PROXIES: text }));

test("addresses and networks of both families are read; without the option nobody is trusted", () => {
  expect(trustedProxies(loadConfig({ BARAM_HOME: "/nowhere/at/all" }))).toBeNull();
  expect(read(" , ")).toBeNull();
  const list = read("10.0.0.0/8, 192.0.2.1,2001:db8::/32");
  expect(list?.check("10.9.8.7")).toBe(true);
  expect(list?.check("192.0.2.1")).toBe(true);
  expect(list?.check("192.0.2.2")).toBe(false);
  expect(list?.check("2001:db8::1", "ipv6")).toBe(true);
  expect(list?.check("2001:db9::1", "ipv6")).toBe(false);
});

test.each(["proxy.example.com", "10.0.0.0/33", "10.0.0.0/0", "::/0", "10.0.0.0/", "10.0.0.0/8/8", "10.0.0"])(
  "%s is refused by its name",
  (text) => {
    expect(() => read(`127.0.0.1,${text}`)).toThrow(`[api] trusted_proxies contains "${text}"`);
  },
);
