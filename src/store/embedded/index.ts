export { type EmbeddedServer, hasEmbeddedDatabase, type ServerAddress, startEmbeddedServer } from "./server.ts";
