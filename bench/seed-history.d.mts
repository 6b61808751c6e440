export type HistorySize = { dags: number; runs: number; instances: number; bigDag: number; waiting: number };
export declare const FULL_SIZE: HistorySize;
export declare const TEST_SIZE: HistorySize;
type Db = { query(text: string): Promise<unknown> };
export declare function seedHistory(
  store: Db & { transaction<T>(work: (tx: Db) => Promise<T>): Promise<T> },
  size: HistorySize,
  dag: object,
): Promise<void>;
