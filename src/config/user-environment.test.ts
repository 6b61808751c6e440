import { expect, test } from "vitest";
import { withheldFromUserCode } from "./user-environment.ts";

test("what is withheld is named, without Baram's own and what nobody misses, and proxies apart", () => {
  const environment = {
    PATH: "/bin",
    PWD: "/x",
    XDG_SESSION_ID: "1",
    npm_config_cache: "/c",
    BARAM_HOME: "/b",
    NODE_OPTIONS: "--inspect",
    DB_SERVICE_HOST: "10.0.0.1",
    DB_SERVICE_PORT_HTTP: "80",
    DB_PORT_80_TCP_ADDR: "10.0.0.1",
    STRIPE_KEY: "sk",
    AWS_PROFILE: "prod",
    JAVA_HOME: "/j",
    UNSET: undefined,
    https_proxy: "http://u:p@proxy:3128",
    HTTP_PROXY: "http://proxy:3128",
  };
  expect(withheldFromUserCode(environment, ["JAVA_*"])).toEqual({
    variables: ["AWS_PROFILE", "STRIPE_KEY"],
    proxies: ["https_proxy"],
  });
  expect(withheldFromUserCode(environment, ["*"])).toEqual({ variables: [], proxies: [] });
});
