export { type Cipher, createCipher } from "./cipher.ts";
export { type EmbeddedServer, type ServerAddress, startEmbeddedServer } from "./embedded/index.ts";
export { brokenConstraint, DISK_FULL, isConnectionLost, sqlState, UNIQUE_VIOLATION } from "./faults.ts";
export { checkMigrated, type MigrationStatus, migrate, migrationStatus, resetSchema } from "./migrate.ts";
export * from "./queries/index.ts";
export { type Db, type Listener, openStore, type Statement, type Store, type StoreOptions } from "./store.ts";
