import { runApiServer } from "../../../main/api-server.ts";
import { type ApiAddress, configWithApiAddress } from "./api-address.ts";

export function apiServer(address: ApiAddress): Promise<void> {
  return runApiServer(configWithApiAddress(address));
}
