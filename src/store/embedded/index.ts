export { embeddedServerUid } from "./account.ts";
export { type EmbeddedServer, hasEmbeddedDatabase, type ServerAddress, startEmbeddedServer } from "./server.ts";
