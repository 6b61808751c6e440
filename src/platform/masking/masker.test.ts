import { inspect } from "node:util";
import { expect, test } from "vitest";
import { createMasker, createNameRule, hideInText, hideSecrets, restoreHidden } from "./index.ts";

function masked(text: string, ...secrets: string[]): string {
  const masker = createMasker();
  for (const secret of secrets) masker.add(secret);
  return masker.mask(text);
}

const SECRET = `p&ss "wörd"/+x'<\\>`;

test.each([
  ["as it is", SECRET],
  ["as a part of a URL", encodeURIComponent(SECRET)],
  ["as a part of a URL, in lower case", encodeURIComponent(SECRET).replace(/%../g, (byte) => byte.toLowerCase())],
  ["as a part of a URL in a URL", encodeURIComponent(encodeURIComponent(SECRET))],
  ["as a form's value", new URLSearchParams({ a: SECRET }).toString().slice(2)],
  ["in JSON", JSON.stringify(SECRET).slice(1, -1)],
  ["in JSON in JSON", JSON.stringify(JSON.stringify(SECRET)).slice(3, -3)],
  ["in JSON of ASCII", JSON.stringify(SECRET).slice(1, -1).replace("ö", "\\u00f6")],
  ["as console.log shows it", inspect({ a: SECRET }).slice(6, -3)],
  ["in HTML", "p&amp;ss &quot;wörd&quot;/+x&#39;&lt;\\&gt;"],
  ["in the text of HTML", `p&amp;ss "wörd"/+x'&lt;\\&gt;`],
  ["in hex", Buffer.from(SECRET).toString("hex")],
  ["in hex, in capitals", Buffer.from(SECRET).toString("hex").toUpperCase()],
  ["as console.log shows its bytes", inspect(Buffer.from(SECRET)).slice(8, -1)],
  ["as the numbers of its bytes", JSON.stringify([...Buffer.from(SECRET)]).slice(1, -1)],
  ["with every byte percent-encoded", Buffer.from(SECRET).toString("hex").replace(/../g, "%$&")],
  ["with every byte percent-encoded, in capitals", Buffer.from(SECRET).toString("hex").toUpperCase().replace(/../g, "%$&")],
  ["in HTML by Handlebars", "p&amp;ss &quot;wörd&quot;/+x&#x27;&lt;\\&gt;"],
  ["in HTML by Mustache", "p&amp;ss &quot;wörd&quot;&#x2F;+x&#39;&lt;\\&gt;"],
  ["in the shell's quotes", SECRET.replaceAll("'", `'\\''`)],
])("a secret is hidden %s", (_how, form) => {
  expect(masked(`before ${form} after`, SECRET)).toBe("before *** after");
});

test("HTML of templates is hidden, too, where the secret has no other character that HTML knows", () => {
  expect(masked("[a&#x3D;b&#x60;c/d]", "a=b`c/d")).toBe("[***]");
  expect(masked("[a&#x3D;b&#x60;c&#x2F;d]", "a=b`c/d")).toBe("[***]");
});

test("a Buffer that console.log cuts is hidden as far as it is shown, wherever the secret begins in it", () => {
  const secret = "correct horse battery staple ".repeat(4);
  expect(masked(inspect(Buffer.from(secret)), secret)).toMatch(/^<Buffer \*\*\* \.\.\. \d+ more bytes>$/);
  const shown = masked(inspect(Buffer.from(`${"-".repeat(44)}${secret}`)), secret);
  expect(shown).toMatch(/^<Buffer (2d ){44}\*\*\* \.\.\. \d+ more bytes>$/);
});

test("the bytes of a secret are hidden in facts, as a Buffer and as another array of bytes", () => {
  const masker = createMasker();
  masker.add("hunter2-and-more");
  const bytes = Buffer.from("x hunter2-and-more");
  const facts = { buffer: bytes.toJSON(), bytes: { ...new Uint8Array(bytes) }, rows: [1, 2, 3, 4, 5, 6], points: { 0: 1, 1: 2 } };
  expect(masker.redact(JSON.parse(JSON.stringify(facts)))).toEqual({
    ...facts,
    buffer: { type: "Buffer", data: "***" },
    bytes: "***",
  });
});

test("a secret in a URL's user part is hidden", () => {
  const url = new URL("https://db.example.com/x");
  url.username = "etl";
  url.password = SECRET;
  expect(masked(String(url), SECRET)).toBe("https://etl:***@db.example.com/x");
});

test("base64 is hidden wherever the secret stands in it, in both alphabets", () => {
  for (const before of ["", "u", "us", "etl:", "user:", "user1:"])
    for (const after of ["", "\n", "@host"])
      for (const alphabet of ["base64", "base64url"] as const) {
        const text = Buffer.from(`${before}${SECRET}${after}`).toString(alphabet);
        const shown = masked(`Authorization: Basic ${text}.`, SECRET);
        expect(shown, text).toContain("***");
        // At most the characters that the secret's first and last byte share with their neighbours.
        expect(shown.replace("Authorization: Basic ", "").length, shown).toBeLessThan(14 + 2 * (before.length + after.length));
        expect(Buffer.from(shown.replace(/^.*Basic /, "").split("***")[1] ?? "", "base64").toString()).not.toContain("x'<");
      }
  const long = "correct horse battery staple ".repeat(8);
  const lines =
    Buffer.from(long)
      .toString("base64")
      .match(/.{1,76}/g) ?? [];
  for (const line of lines) expect(masked(`[${line.replace(/=+$/, "")}]`, long)).toBe("[***]");
});

test("every line of a secret of several lines is hidden by itself, but not the frame of a PEM file", () => {
  const key = "-----BEGIN KEY-----\r\nMIIEvQIBADAN\nab\n-----END KEY-----";
  expect(masked("first MIIEvQIBADAN second", key)).toBe("first *** second");
  expect(masked("-----BEGIN KEY-----", key)).toBe("-----BEGIN KEY-----");
  expect(masked(`x${key}y`, key)).toBe("x***y");
  expect(masked("hunter22", "hunter22\n")).toBe("***");
});

test("characters that mean something in a pattern mean nothing in a secret", () => {
  const secret = "a.*+?^$".concat("{}()|[]\\z");
  expect(masked(`[${secret}]`, secret)).toBe("[***]");
  expect(masked("aXXXXXXXz", "a.*z.*")).toBe("aXXXXXXXz");
});

test("secrets that contain or overlap each other are hidden whole, in whatever order they came", () => {
  expect(masked("hunter2-and-more", "hunter2", "hunter2-and-more")).toBe("***");
  expect(masked("hunter2-and-more", "hunter2-and-more", "hunter2")).toBe("***");
  expect(masked("hunter2 alone", "hunter2-and-more", "hunter2")).toBe("*** alone");
  expect(masked("[abcdefgh]", "abcdef", "defgh")).toBe("[***]");
});

test("all places are hidden, also after a secret was added later; short words are let be", () => {
  const masker = createMasker();
  expect(masker.mask("secret-1 secret-2")).toBe("secret-1 secret-2");
  masker.add("secret-1");
  expect(masker.mask("secret-1 secret-2 secret-1")).toBe("*** secret-2 ***");
  masker.add("secret-2");
  masker.add("abcd");
  masker.add("");
  expect(masker.mask("secret-1 secret-2 abcd")).toBe("*** *** abcd");
});

test("the beginning of a secret at the end of a cut text is hidden, by the mark or because the caller says so", () => {
  const masker = createMasker();
  masker.add("hunter2-and-more");
  masker.add("x".repeat(100));
  expect(masker.mask("pw hunte… [line truncated: 10 more bytes]")).toBe("pw ***… [line truncated: 10 more bytes]");
  expect(masker.mask('{"pw":"hunter2-and… (cut; 5000 characters)')).toBe('{"pw":"***… (cut; 5000 characters)');
  expect(masker.mask("{ pw: 'hunter2'... 990 more characters }")).toBe("{ pw: '***'... 990 more characters }");
  expect(masker.mask(`pw ${"x".repeat(60)}`)).toBe("pw ***");
  expect(masker.mask("pw h", true)).toBe("pw ***");
  expect(masker.mask("pw hunte")).toBe("pw hunte");
});

test("JSON is masked text by text, numbers too, and by its names", () => {
  const masker = createMasker();
  masker.add('a"b\\cdef');
  masker.add("123456");
  const value = { text: 'x a"b\\cdef', 'a"b\\cdef': [123456, 12345], env: { DB_PWD: "unknown", hasToken: true, token: null } };
  const deep = JSON.parse(`${'{"a":'.repeat(999)}"x"${"}".repeat(999)}`);
  expect(JSON.stringify(masker.redact(deep))).toBe(JSON.stringify(deep));
  const tooDeep = JSON.parse(`${"[".repeat(2_000)}"123456"${"]".repeat(2_000)}`);
  expect(JSON.stringify(masker.redact(tooDeep))).not.toContain("123456");
  expect(masker.redact(value)).toEqual({
    text: "x ***",
    "***": ["***", 12345],
    env: { DB_PWD: "***", hasToken: true, token: null },
  });
});

test("what a connection holds is known: password, sensitive extras at any depth, numbers, passwords in URLs and strings", () => {
  const masker = createMasker();
  masker.addConnection({
    password: "the-password",
    host: "https://user:in-the-url@host",
    extra: {
      endpoint: "amqp://u:p%40ssword@broker",
      list: [{ "stripe-api-key": "sk_live_1" }],
      pin_token: 987654,
      conn: "Server=db;Password='in-a-string';Port=1",
      keyfile_dict: '{"private_key":"-----BEGIN-----\\nMIIEabcdef\\n-----END-----","client_email":"me@example.com"}',
      headers: { Authorization: "Bearer ey-the-bearer" },
      sslmode: "require",
    },
  });
  for (const text of [
    "the-password",
    "in-the-url",
    "p%40ssword",
    "p@ssword",
    "sk_live_1",
    "987654",
    "in-a-string",
    "MIIEabcdef",
    "ey-the-bearer",
    Buffer.from("admin:the-password").toString("base64").slice(8),
  ])
    expect(masker.mask(`${text}`), text).toContain("***");
  expect(masker.mask("require host broker user")).toBe("require host broker user");
});

test("a variable is a secret by its name, or holds one by a name inside of it", () => {
  const masker = createMasker();
  masker.addNamed("config", '{"db":{"host":"db-host","password":"in-json"},"port":54321}');
  masker.addNamed("api_key", "whole-value");
  masker.addNamed("region", "eu-central-1");
  masker.addNamed("auth_header_authorization", `Basic ${Buffer.from("me:basic-pass").toString("base64")}`);
  expect(masker.mask("in-json whole-value eu-central-1 db-host 54321 basic-pass")).toBe("*** *** eu-central-1 db-host 54321 ***");
});

test("its memory is bounded: the secrets that were read first are forgotten, and a warning says so once", () => {
  const masker = createMasker();
  for (let n = 0; n < 1_000; n++) masker.add(`secret-number-${n}.`);
  expect(masker.takeWarning()).toBeNull();
  masker.add("secret-number-1000.");
  expect(masker.takeWarning()).toContain("not masked any more");
  expect(masker.mask("secret-number-1000. secret-number-3.")).toBe("*** secret-number-3.");
  for (let n = 0; n < 2_000; n++) masker.add(`another-number-${n}.`);
  expect(masker.takeWarning()).toBeNull();
  const huge = createMasker();
  huge.add("s3cret-".repeat(20_000));
  expect(huge.takeWarning()).toContain("only its first");
});

test("what only a name calls a secret is forgotten before the secrets of connections and of maskSecret", () => {
  const masker = createMasker();
  masker.addNamed("first_token", "told-by-both");
  masker.addConnection({ password: "the-password", extra: {} });
  masker.addValue("told-by-the-task");
  masker.addValue("told-by-both");
  for (let n = 0; n < 2_000; n++) masker.addNamed(`token_${n}`, `secret-number-${n}.`);
  expect(masker.mask("the-password told-by-the-task told-by-both secret-number-3. secret-number-1999.")).toBe(
    "*** *** *** secret-number-3. ***",
  );
});

test("a text that nearly matches everywhere takes no more than a moment", () => {
  const masker = createMasker();
  for (let n = 0; n < 200; n++) masker.add(`${"a".repeat(3_000 + n)}b`);
  const startedAt = performance.now();
  expect(masker.mask(`${"a".repeat(64 * 1024)}c`)).toBe("***c");
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});

test.each([
  ..."PASSWORD db_passwd apiKey api_key my-token Authorization private_key stripe-api-key db_pwd pwd SLACK_WEBHOOK dsn sentryDsn".split(
    " ",
  ),
  ..."github_pat pat session-cookie service_account google.service-account http_proxy proxy credentials aws_credential sas sas-token".split(
    " ",
  ),
  ..."requestSignature accessToken access_token passphrase keyfile_dict secretKey aws_secret_access_key connectionString db.pass tokens".split(
    " ",
  ),
  ..."auth basic_auth httpAuth auth_header authHeader bearer bearer_value session_id sessionId pem client_pem id_rsa tls_key tlsKey pw db_pw".split(
    " ",
  ),
  ..."conn_str connStr hmac webhook_hmac webhook_path webhook_url secret_access_key_id secret_id".split(" "),
  ..."npm_tokens nexus_api_tokens new_access_tokens used_refresh_tokens total_bearer_tokens npmTokens n_tokens inputs_tokens token_is_for_prod tokens_tokens".split(
    " ",
  ),
])("the name %s is sensitive", (name) => expect(createNameRule()(name)).toBe(true));

test.each(
  "host passage key author path pattern patient passenger token_count tokens_count max_tokens totalTokens maxOutputTokens total_tokens num_tokens used_tokens prompt_tokens completion_tokens tokensUsed tokens_per_second maxNewTokens tokenizer password_length compass public_key login proxyless slackWebhookConnId access_key_id awsAccessKeyId secret_arn token_url tokenUri private_key_path proxy_port proxyHost auth_type author author_id hmac_algorithm openwork".split(
    " ",
  ),
)("the name %s is not", (name) => expect(createNameRule()(name)).toBe(false));

test("a deployment adds parts of names", () => {
  const rule = createNameRule(["Geheim", " "]);
  expect([rule("mein_GEHEIMNIS"), rule("password"), rule("name")]).toEqual([true, true, false]);
});

test("a pair of a name and a value is judged by its name, and gets its secret back when it is sent as shown", () => {
  const rule = createNameRule();
  const stored = {
    environment: [
      { name: "API_KEY", value: "abc" },
      { Key: "DB_PASSWORD", Value: "x" },
      { name: "REGION", value: "eu" },
    ],
  };
  const shown = hideSecrets(stored, rule);
  expect(shown).toEqual({
    environment: [
      { name: "API_KEY", value: "***" },
      { Key: "DB_PASSWORD", Value: "***" },
      { name: "REGION", value: "eu" },
    ],
  });
  expect(restoreHidden({ ...shown, more: 1 }, stored, false, rule)).toEqual({ ...stored, more: 1 });
  const moved = { environment: [{ name: "REGION", value: "***" }] };
  expect(JSON.stringify(restoreHidden(moved, stored, false, rule))).not.toContain("abc");
  const masker = createMasker();
  masker.addNamed("conf", { env: [{ name: "API_KEY", value: "in-a-pair" }] });
  expect(masker.mask("in-a-pair")).toBe("***");
});

test("the credentials of an Authorization header are found in a text, and words are left", () => {
  const rule = createNameRule();
  const basic = Buffer.from("ada:pässword").toString("base64");
  expect(hideInText("curl -H 'Authorization: Bearer abcdefghijklmnopqrstuvwxyz'", rule)).toBe("curl -H 'Authorization: ***'");
  expect(hideInText("bearer eyJ0.eyJ1.x-y_z and more", rule)).toBe("bearer *** and more");
  expect(hideInText(`header: Basic ${basic}`, rule)).toBe("header: Basic ***");
  expect(hideInText("Authorization=Bearer abc45678", rule)).not.toContain("abc45678");
  const words = "the bearer certificates of a basic understanding: basic knowledge, basic authentication";
  expect(hideInText(words, rule)).toBe(words);
});
