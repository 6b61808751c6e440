export type Migration = {
  readonly version: number;
  readonly name: string;
  /** An older binary must not touch a database that has this migration. */
  readonly breaking: boolean;
  /**
   * Its statements run one by one and outside of a transaction, as `create index concurrently` wants it: others go on reading and writing. A database
   * that is being made takes them in its one transaction, without the `concurrently`. What broke off is begun anew, so each statement is one
   * `create index concurrently` or `drop index concurrently`, which `migrate` knows how to repeat.
   */
  readonly online?: boolean;
  readonly sql: string;
};
