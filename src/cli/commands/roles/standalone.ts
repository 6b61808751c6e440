import { runStandalone } from "../../../main/standalone.ts";
import { type ApiAddress, configWithApiAddress } from "./api-address.ts";

export function standalone(address: ApiAddress): Promise<void> {
  return runStandalone(configWithApiAddress(address));
}
