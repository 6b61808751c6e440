import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestDatabase, type TestDatabase } from "../../../../tests/support/database.ts";
import { tryEnd } from "../../../../tests/support/try-end.ts";
import { finishTries, type TryEnd } from "../../index.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

const plain = tryEnd({ id: "00000000-0000-4000-8000-000000000000", state: "success" });
const deferral = {
  classpath: "baram.TimeTrigger",
  isUserDefined: false,
  kwargs: Buffer.from("k"),
  timeoutSec: 5,
  executionTimeoutSec: null,
  nextMethod: "next",
  nextKwargs: Buffer.from("n"),
};
/** Each brings a part of the statement in. */
const bringing: readonly Partial<TryEnd>[] = [
  { state: "up_for_retry", nextAttemptInSec: 1 },
  { state: "deferred", deferral },
  { mapLength: 3 },
  { xcoms: [{ key: "return_value", value: { a: 1 } }] },
  { renderedFields: { command: "echo" } },
];

test("every combination of what ends bring along is a statement that the server takes", async () => {
  for (let bits = 0; bits < 2 ** bringing.length; bits++) {
    const ends = bringing.filter((_, at) => bits & (1 << at)).map((part) => ({ ...plain, ...part }));
    expect(await finishTries(database.store, [plain, ...ends])).toEqual([]);
  }
});
