import { expect, test } from "vitest";
import { toRenderedFields } from "./rendered-fields.ts";

test("a rendered field is kept whole up to [core] max_templated_field_length, and cut with a mark beyond it", () => {
  const shown = toRenderedFields(["short", "long", "list"], { short: "12345678", long: "123456789", list: [1, 2, 3, 4] }, 8);
  expect(shown).toEqual({
    short: "12345678",
    long: "12345678… (cut; 9 characters)",
    list: "[1,2,3,4… (cut; 9 characters)",
  });
  expect(toRenderedFields(["long"], { long: "x".repeat(4_096) })).toEqual({ long: "x".repeat(4_096) });
});
