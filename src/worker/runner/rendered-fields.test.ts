import { expect, test } from "vitest";
import { createMasker } from "../../platform/index.ts";
import { toRenderedFields } from "./rendered-fields.ts";

test("a rendered field is kept whole up to [core] max_templated_field_length, and cut with a mark beyond it", () => {
  const shown = toRenderedFields(
    ["short", "long", "list"],
    { short: "12345678", long: "123456789", list: [1, 2, 3, 4] },
    createMasker(),
    8,
  );
  expect(shown).toEqual({
    short: "12345678",
    long: "12345678… (cut; 9 characters)",
    list: "[1,2,3,4… (cut; 9 characters)",
  });
  expect(toRenderedFields(["long"], { long: "x".repeat(4_096) }, createMasker())).toEqual({ long: "x".repeat(4_096) });
});

test("a secret is masked in a value before it is cut, and below a sensitive name whatever it is", () => {
  const masker = createMasker();
  masker.add('hunter2"and\\more');
  const options = {
    query: 'select "hunter2"and\\more"',
    env: { URL: 'x hunter2"and\\more', DB_PWD: "never read", nested: [{ token: 12345 }] },
    dsn: "anything",
    when: new Date(0),
  };
  expect(toRenderedFields(Object.keys(options), options, masker)).toEqual({
    query: 'select "***"',
    env: { URL: "x ***", DB_PWD: "***", nested: [{ token: "***" }] },
    dsn: "***",
    when: "1970-01-01T00:00:00.000Z",
  });
  const { env } = toRenderedFields(["env"], options, masker, 18);
  expect(env).toBe('{"URL":"x ***","DB… (cut; 57 characters)');
});
