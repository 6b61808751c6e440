import { BlockList, isIP } from "node:net";
import type { Config } from "../config/index.ts";
import { BaramError } from "../platform/index.ts";

/** [api] trusted_proxies; null = there are none. Throws `config_invalid`. */
export function trustedProxies(config: Config): BlockList | null {
  const given = (config.api.trusted_proxies ?? "").split(",").map((one) => one.trim());
  const networks = given.filter((one) => one !== "");
  if (networks.length === 0) return null;
  const list = new BlockList();
  for (const network of networks) add(list, network);
  return list;
}

function add(list: BlockList, network: string): void {
  const [address = "", bits, ...rest] = network.split("/");
  const family = isIP(address);
  const max = family === 4 ? 32 : 128;
  const prefix = bits === undefined ? max : Number(bits);
  // A prefix of 0 would trust everybody, and so let every client choose its address.
  const isPrefix = bits === undefined || (/^\d{1,3}$/.test(bits) && prefix >= 1 && prefix <= max);
  if (family === 0 || rest.length > 0 || !isPrefix)
    throw new BaramError(
      "config_invalid",
      `[api] trusted_proxies contains "${network}", but must be IP addresses or networks such as 10.0.0.0/8, separated by commas.`,
      { network },
    );
  list.addSubnet(address, prefix, family === 4 ? "ipv4" : "ipv6");
}
