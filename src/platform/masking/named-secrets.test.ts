import { expect, test } from "vitest";
import { createMasker, createNameRule, hideInText, restoreHidden } from "./index.ts";

const rule = createNameRule();
const isMasked = (text: string, secret: string) => {
  const masker = createMasker();
  masker.addNamed("config", text);
  return masker.mask(`[${secret}]`) === "[***]";
};

test.each([
  ["an option", "run --password=hunter2secret now", "run --password=*** now"],
  ["an option with one dash", "java -Ddb.password=hunter2secret -jar x", "java -Ddb.password=*** -jar x"],
  ["an option whose value is the next word", "run --password hunter2secret now", "run --password *** now"],
  ["after a dot", "spring.db.password=hunter2secret", "spring.db.password=***"],
  ["after a semicolon", "host=a;password=hunter2secret;b=1", "host=a;password=***;b=1"],
  ["in a query", "https://h/x?token=hunter2secret&b=1", "https://h/x?token=***&b=1"],
  ["in a form with brackets", "user[password]=hunter2secret&b=1", "user[password]=***&b=1"],
  ["in a quoted string", `dsn2 = 'host=a password=hunter2secret'`, `dsn2 = 'host=a password=***'`],
  ["in parentheses", "connect(password='hunter2secret')", "connect(password=***)"],
  ["in quotes that do not end", `x password="hunter2secret`, "x password=***"],
  ["in YAML", "db:\n  password: hunter2secret\n  host: a", "db:\n  password: ***\n  host: a"],
  ["in a list of YAML", "- user: a\n- password: hunter2secret\n- host: a", "- user: a\n- password: ***\n- host: a"],
  ["in YAML, quoted and with a comment", 'password: "hunter2secret" # x\nhost: a', "password: ***\nhost: a"],
  ["in YAML, in lines of its own", "key: a\nprivate_key: |\n  hunter2secret\n  more\nb: 1", "key: a\nprivate_key: ***\nb: 1"],
  ["in YAML, below the name", "credentials:\n  user: a\n  pw: hunter2secret\nb: 1", "credentials:***\nb: 1"],
  ["in a list of YAML below the name", "tokens:\n- hunter2secret\n- b\nc: 1", "tokens:***\nc: 1"],
  ["in flow style", "{user: a, password: hunter2secret, b: 1}", "{user: a, password: ***, b: 1}"],
  ["in a header", "Accept: a\r\nAuthorization: Bearer hunter2secret\r\nHost: b", "Accept: a\r\nAuthorization: ***\r\nHost: b"],
  ["in a header in quotes", `curl -H "Authorization: Bearer hunter2secret" h`, `curl -H "Authorization: ***" h`],
  ["after Bearer", "send Bearer hunter2secret to h", "send Bearer *** to h"],
  ["in lines of JSON", '{"a":1}\n{"password":"hunter2secret"}', '{"a":1}\n{"password":***}'],
  [
    "in lines of JSON, in an object",
    '{"a":1}\n{"credentials":{"pw":"hunter2secret"},"b":1}',
    '{"a":1}\n{"credentials":***,"b":1}',
  ],
  [
    "in a text of JSON in a text",
    String.raw`log {\"password\":\"hunter2secret\",\"b\":1}`,
    String.raw`log {\"password\":***,\"b\":1}`,
  ],
  ["in a dict of Python", "{'password': 'hunter2secret', 'b': 1}", "{'password': ***, 'b': 1}"],
  ["in JSON after a byte order mark", '\uFEFF{"password":"hunter2secret"}', '{"password":"***"}'],
  ["in a URL with a long user", `ftp://${"u".repeat(600)}:hunter2secret@h`, `ftp://${"u".repeat(600)}:***@h`],
])("a secret is hidden and learned %s", (_where, text, shown) => {
  expect(hideInText(text, rule)).toBe(shown);
  expect(isMasked(text, "hunter2secret")).toBe(true);
});

test.each([
  "arn:aws:secretsmanager:eu-central-1:123456789012:secret:name",
  "https://host:8080/token:5",
  "a bearer of news, basic authentication",
  "max_tokens=4000 --verbose yes",
  "region: eu-central-1\nhost: db",
  '{"a":1}\n{"b":"c"}',
])("%s is shown as it is", (text) => expect(hideInText(text, rule)).toBe(text));

test("a secret of more than 4,096 characters is hidden whole", () => {
  expect(hideInText(`a=1 password=${"x".repeat(5_000)} b=2`, rule)).toBe("a=1 password=*** b=2");
  expect(hideInText(`pg://u:${"x".repeat(5_000)}@h`, rule)).toBe("pg://u:***@h");
});

test("escapes in quotes are read", () => {
  const text = `{"a":1}\n${JSON.stringify({ password: 'hunter"2\\secret', b: 1 })}`;
  expect(hideInText(text, rule)).toBe('{"a":1}\n{"password":***,"b":1}');
  expect(isMasked(text, 'hunter"2\\secret')).toBe(true);
});

test("large JSON is searched; of what is too large to be parsed, nothing is shown and the secrets are learned", () => {
  const json = (length: number) =>
    JSON.stringify({ pad: "x".repeat(length), password: 'BIG"secret99', deep: { tokens: ["in-a-list"] } });
  const large = json(270_000);
  expect(hideInText(large, rule)).toContain('"password":"***"');
  const huge = json(5 * 1024 * 1024);
  expect(hideInText(huge, rule)).toMatch(
    /^\*\*\* \(\d+ characters: too large to be searched for secrets; the limit is 4194304\)$/,
  );
  for (const text of [large, huge])
    for (const secret of ['BIG"secret99', "in-a-list"]) expect(isMasked(text, secret), secret).toBe(true);
  expect(restoreHidden(hideInText(huge, rule), huge, false, rule)).toBe(huge);
});

test.each([
  ["names", "password: a "],
  ["names at one place", "password"],
  ["quotes", `password="`],
  ["other quotes", `token='"`],
  ["brackets", "token={["],
  ["backslashes", "\\"],
  ["backslashes and quotes", '\\"'],
  ["names of names", "token=token="],
  ["schemes of URLs", "a.b://x:"],
  ["authentication schemes", "bearer   "],
  ["options", "--password "],
  ["lines", "\n  - token:"],
  ["blanks", "token    "],
  ["at signs", "a://b:c@d@"],
])("a long text of %s takes no more than a moment", (_what, piece) => {
  const text = piece.repeat(Math.ceil(1_000_000 / piece.length));
  const startedAt = performance.now();
  hideInText(text, rule);
  createMasker().addNamed("x", text);
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});
