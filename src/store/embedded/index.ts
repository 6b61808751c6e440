export { type EmbeddedServer, type ServerAddress, startEmbeddedServer } from "./server.ts";
