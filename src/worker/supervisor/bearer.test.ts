import { expect, test } from "vitest";
import { bearerOf } from "./bearer.ts";

const tokenUntil = (exp: number) => `head.${Buffer.from(JSON.stringify({ exp })).toString("base64url")}.sign`;

test("of a call's tokens the first that lives for a while is the bearer, else the one that lives longest, whatever is among them", () => {
  const [short, long] = [tokenUntil(100), tokenUntil(200)];
  expect(bearerOf(["nonsense", short, long, tokenUntil(300)], null, 99_000)).toBe(long);
  expect(bearerOf([short, long, "nonsense", ""], null, 190_000)).toBe(long);
  expect(bearerOf([short, long, "nonsense", ""], null)).toBe(long);
  expect(bearerOf(["nonsense"], null)).toBe("nonsense");
  expect(bearerOf([], null)).toBeUndefined();
});

test("a worker's own token goes first, as long as it lives", () => {
  const [own, item] = [tokenUntil(100), tokenUntil(200)];
  expect(bearerOf([item], own, 99_000)).toBe(own);
  expect(bearerOf([item], own, 100_000)).toBe(item);
});
