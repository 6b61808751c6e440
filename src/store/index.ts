export { type Cipher, createCipher } from "./cipher.ts";
export {
  type EmbeddedServer,
  embeddedServerUid,
  hasEmbeddedDatabase,
  type ServerAddress,
  startEmbeddedServer,
} from "./embedded/index.ts";
export { isConnectionLost, isDataFault, isTimedOut, isValueFault, sqlState, statementOf } from "./faults.ts";
export type { Listener } from "./listening.ts";
export { checkMigrated, type MigrationStatus, migrate, resetSchema } from "./migrate.ts";
export { createOutageWatch, type OutageWatch } from "./outage.ts";
export * from "./queries/index.ts";
export { type Db, guardedStatement, openStore, type Statement, type Store, type StoreOptions } from "./store.ts";
