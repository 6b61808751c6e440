import { expect, test } from "vitest";
import { readNotice, writeLostQueue, writePing } from "./rabbitmq-channels.ts";

test("a notice is read as what was written: ids, a queue that was gone, or a word to oneself", () => {
  expect(readNotice("a,b")).toEqual({ ended: ["a", "b"] });
  expect(readNotice("")).toEqual({ ended: [] });
  expect(readNotice(writeLostQueue("heavy", "someone"))).toEqual({ lostQueue: "heavy", by: "someone" });
  expect(readNotice(writePing("word"))).toEqual({ ping: "word" });
});
