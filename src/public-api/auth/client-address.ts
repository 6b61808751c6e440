import { type BlockList, isIP, isIPv4 } from "node:net";
import type { Context } from "hono";

/**
 * The address that a login counts for: the client's, as a /64 if it is IPv6. It is the peer of the connection, unless that is one of the
 * trusted proxies. Then X-Forwarded-For is read from its end, where the nearest proxy wrote, up to the first address that is no trusted
 * proxy: what stands before that one was sent by the client, who can write anything.
 */
export function clientAddress(c: Context, trustedProxies: BlockList | null): string {
  const env = c.env as { incoming?: { socket?: { remoteAddress?: string } } } | undefined;
  let address = plain(env?.incoming?.socket?.remoteAddress ?? "");
  const hops = (c.req.header("x-forwarded-for") ?? "").split(",").reverse();
  for (const hop of hops) {
    if (!isTrusted(address, trustedProxies)) break;
    const before = plain(withoutPort(hop.trim()));
    // No address, such as "unknown": the proxy that wrote it counts.
    if (isIP(before) === 0) break;
    address = before;
  }
  return networkOf(address);
}

function isTrusted(address: string, trusted: BlockList | null): boolean {
  const family = isIP(address);
  return family !== 0 && trusted !== null && trusted.check(address, family === 4 ? "ipv4" : "ipv6");
}

/** Some proxies write `1.2.3.4:5678` and `[::1]:5678`. */
function withoutPort(hop: string): string {
  const bracketed = /^\[([^\]]{1,60})\]/.exec(hop)?.[1];
  if (bracketed !== undefined) return bracketed;
  const [host = "", ...rest] = hop.split(":");
  return rest.length === 1 && isIPv4(host) ? host : hop;
}

/** IPv4 that is written as IPv6 (`::ffff:1.2.3.4`) becomes IPv4; the zone of a link-local address goes. */
function plain(address: string): string {
  const withoutZone = address.replace(/%.*$/s, "");
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(withoutZone) ?? [];
  if (mapped !== undefined) return mapped;
  const [, high, low] = /^(?:0{0,4}:){1,6}?:?ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(withoutZone) ?? [];
  if (high === undefined || low === undefined || isIP(withoutZone) !== 6) return withoutZone;
  const number = (Number.parseInt(high, 16) << 16) | Number.parseInt(low, 16);
  return [24, 16, 8, 0].map((bits) => (number >>> bits) & 255).join(".");
}

function networkOf(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = "", tail] = address.toLowerCase().split("::");
  const groups = (text: string) => text.split(":").filter((group) => group !== "");
  const start = groups(head);
  if (tail !== undefined) {
    const end = groups(tail);
    // The dotted end of an address stands for two groups.
    const length = start.length + end.length + (tail.includes(".") ? 1 : 0);
    start.push(...Array.from({ length: Math.max(0, 8 - length) }, () => "0"), ...end);
  }
  return `${start
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}
