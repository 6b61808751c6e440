export type Migration = {
  readonly version: number;
  readonly name: string;
  /** An older binary must not touch a database that has this migration. */
  readonly breaking: boolean;
  readonly sql: string;
};
