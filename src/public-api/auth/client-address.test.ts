import { BlockList } from "node:net";
import { Hono } from "hono";
import { expect, test } from "vitest";
import { clientAddress } from "./client-address.ts";

const PROXIES = new BlockList();
PROXIES.addSubnet("10.0.0.0", 8);
PROXIES.addSubnet("2001:db8:ff::", 48, "ipv6");

async function addressOf(peer: string | undefined, forwarded?: string, proxies: BlockList | null = PROXIES): Promise<string> {
  const app = new Hono().get("/", (c) => c.text(clientAddress(c, proxies)));
  const headers: Record<string, string> = forwarded === undefined ? {} : { "x-forwarded-for": forwarded };
  return (await app.request("/", { headers }, { incoming: { socket: { remoteAddress: peer } } })).text();
}

test.each([
  ["203.0.113.1", undefined, "203.0.113.1"],
  ["203.0.113.1", "6.6.6.6", "203.0.113.1"],
  ["10.0.0.1", "6.6.6.6, 203.0.113.1", "203.0.113.1"],
  ["10.0.0.1", "6.6.6.6,203.0.113.1 , 10.2.2.2", "203.0.113.1"],
  ["10.0.0.1", "10.3.3.3, 10.2.2.2", "10.3.3.3"],
  ["10.0.0.1", "", "10.0.0.1"],
  ["10.0.0.1", "6.6.6.6, unknown", "10.0.0.1"],
  ["10.0.0.1", "6.6.6.6, 203.0.113.1:4711", "203.0.113.1"],
  ["10.0.0.1", "[2001:db8:1:2:3::4]:4711", "2001:db8:1:2::/64"],
  ["::ffff:10.0.0.1", "203.0.113.1", "203.0.113.1"],
  ["2001:db8:ff::1", "::ffff:203.0.113.1", "203.0.113.1"],
  ["10.0.0.1", "::FFFF:cb00:7101", "203.0.113.1"],
  ["2001:0DB8:1:2::ffff", undefined, "2001:db8:1:2::/64"],
  ["2001:db8:1:2:aaaa:bbbb:cccc:dddd", undefined, "2001:db8:1:2::/64"],
  ["fe80::1%eth0", undefined, "fe80:0:0:0::/64"],
  ["::1", undefined, "0:0:0:0::/64"],
  ["64:ff9b::192.0.2.1", undefined, "64:ff9b:0:0::/64"],
  [undefined, "6.6.6.6", ""],
])("a connection from %s with X-Forwarded-For %s counts as %s", async (peer, forwarded, expected) => {
  expect(await addressOf(peer, forwarded)).toBe(expected);
});

test("without trusted proxies, only the peer counts", async () => {
  expect(await addressOf("10.0.0.1", "203.0.113.1", null)).toBe("10.0.0.1");
});
