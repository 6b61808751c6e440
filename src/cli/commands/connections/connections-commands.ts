import type { Command } from "commander";
import type { Terminal } from "../../terminal.ts";
import { exampleOf, outputOption, wholeNumber } from "../flags.ts";
import type { AddOptions } from "./add.ts";
import type { ShowOptions } from "./connection-row.ts";
import type { ListOptions } from "./list.ts";

export function addConnectionsCommands(program: Command, terminal: Terminal): void {
  const connections = program.command("connections").description("connections to external systems");
  connections
    .command("add")
    .description("add a connection by URI, by JSON or by fields; password and extra are encrypted at rest")
    .argument("<conn-id>")
    .option("--conn-uri <uri>", "type://login:password@host:port/schema?extra=value, parts percent-encoded")
    .option("--conn-uri-file <path>", "a file with such a URI, - for stdin")
    .option("--conn-json <json>", "a JSON object with conn_type, host, login, password, schema, port, extra, description")
    .option("--conn-json-file <path>", "a file with such an object, - for stdin")
    .option("--conn-type <type>", "for example postgres, aws, http")
    .option("--conn-host <host>")
    .option("--conn-login <login>")
    .option("--conn-password <password>", "better --conn-password-file: others can see arguments")
    .option("--conn-password-file <path>", "a file with the password, - for stdin")
    .option("--conn-schema <schema>")
    .option("--conn-port <port>", "1 to 65535", wholeNumber(1, 65_535))
    .option("--conn-extra <json>", "a JSON object with additional settings")
    .option("--conn-extra-file <path>", "a file with such an object, - for stdin")
    .option("--conn-description <text>")
    .addHelpText(
      "after",
      exampleOf(
        "connections add warehouse --conn-type postgres --conn-host db.example.com --conn-login ada --conn-password-file -",
      ),
    )
    .action(async (connId: string, options: AddOptions) => (await import("./add.ts")).addOne(terminal, connId, options));
  connections
    .command("get")
    .description("show a connection, including one from BARAM_CONN_<ID>; secrets are hidden")
    .argument("<conn-id>")
    .option("--show-secrets", "show the password and extra", false)
    .addOption(outputOption())
    .addHelpText("after", exampleOf("connections get warehouse -o json"))
    .action(async (connId: string, options: ShowOptions) => (await import("./get.ts")).getOne(terminal, connId, options));
  connections
    .command("list")
    .description("list the stored connections; secrets are hidden")
    .option("--conn-id <conn-id>", "only this connection")
    .option("--show-secrets", "show passwords and extras", false)
    .addOption(outputOption())
    .addHelpText("after", exampleOf("connections list"))
    .action(async (options: ListOptions) => (await import("./list.ts")).listAll(terminal, options));
  connections
    .command("delete")
    .description("delete a connection")
    .argument("<conn-id>")
    .addHelpText("after", exampleOf("connections delete warehouse"))
    .action(async (connId: string) => (await import("./delete.ts")).deleteOne(terminal, connId));
}
