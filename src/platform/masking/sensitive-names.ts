/** Whether a name says that its value is a secret: of a connection's extra, a variable, a fact, a rendered field, an audit entry. */
export type NameRule = (name: string) => boolean;

/** Hidden wherever they occur in a name that is reduced to letters and digits. The first line is Airflow's list. */
const ANYWHERE = new RegExp(
  [
    "accesstoken|apikey|authorization|passphrase|passwd|password|privatekey|secret|token|keyfile|serviceaccount",
    "passcode|credential|connectionstring|connstr|webhook|cookie|signature|authheader|sessionid|idrsa",
    "(?:access|account|app|application|client|consumer|encryption|fernet|hmac|license|master|rsa|shared|signing|ssh|ssl|storage|subscription|tls)key",
  ].join("|"),
);
/** Too short to be looked for inside of words: "path" is no "pat". */
const WORDS = new Set([
  "pwd",
  "dsn",
  "pat",
  "sas",
  "jwt",
  "otp",
  "cred",
  "creds",
  "proxy",
  "proxies",
  "pw",
  "pem",
  "bearer",
  "hmac",
]);
/** Only as the last word: `db_pass`, but not `pass_environment`; `basic_auth`, but not `auth_type`. */
const LAST_WORDS = new Set(["pass", "auth"]);
/** What a name with such a last word holds is about a secret, and none itself: `password_length`, `token_type`. */
const MEASURES = new Set([
  "count",
  "counts",
  "length",
  "len",
  "size",
  "limit",
  "ttl",
  "timeout",
  "age",
  "type",
  "expiry",
  "expires",
  "algorithm",
]);
/** Where a secret is: `secret_arn`, `private_key_path`, `proxy_port`. The path of a webhook is the secret itself. */
const PLACES = new Set(["arn", "path", "port", "host"]);
/** Public beside the secret that they belong to. */
const PUBLIC = /(?<!secret)accesskeyid$|tokenur[il]$/;
/**
 * What may stand beside `tokens` where they are counted, as a language model does: `max_tokens`, `tokens_per_second`. The list is closed:
 * with any other word, as in `npm_tokens`, the name is that of a secret.
 */
const COUNT_WORDS = new Set(
  "max min num total prompt completion input output reasoning used cached per second minute hour day request".split(" "),
);
const COUNTED_TOKENS = new Set(["max_new_tokens", "min_new_tokens"]);
/** The name of a connection, as in `slackWebhookConnId`. */
const CONNECTION_ID = /conn(?:ection)?id$/;
const NOT_TOKENS = /tokeni[sz]/g;

/** A longer name is judged by its start and its end. */
const JUDGED_CHARACTERS = 200;
/** Names repeat from line to line, so their judgements are kept. */
const REMEMBERED_NAMES = 2_000;

/** `more`: further parts of names, as in `[core] sensitive_var_conn_names`: a name that contains one, in any case, is sensitive. */
export function createNameRule(more: readonly string[] = []): NameRule {
  const parts = more.map((part) => part.trim().toLowerCase()).filter((part) => part !== "");
  const known = new Map<string, boolean>();
  return (name) => {
    const before = known.get(name);
    if (before !== undefined) return before;
    const isSensitive = parts.some((part) => name.toLowerCase().includes(part)) || judge(name);
    if (known.size >= REMEMBERED_NAMES) known.clear();
    if (name.length <= JUDGED_CHARACTERS) known.set(name, isSensitive);
    return isSensitive;
  };
}

function judge(name: string): boolean {
  if (name.length > 2 * JUDGED_CHARACTERS)
    return judge(name.slice(0, JUDGED_CHARACTERS)) || judge(name.slice(-JUDGED_CHARACTERS));
  const words = name
    .replace(/([a-z\d])([A-Z])/g, "$1 $2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "");
  const last = words.at(-1) ?? "";
  if (words.length > 1 && MEASURES.has(last)) return false;
  if (words.length > 1 && PLACES.has(last) && !words.some((word) => word.startsWith("webhook"))) return false;
  // Word by word: `token_issuer` is no tokenizer.
  const joined = words.map((word) => word.replace(NOT_TOKENS, "")).join("");
  if (isTokenCount(words) || CONNECTION_ID.test(joined) || PUBLIC.test(joined)) return false;
  return ANYWHERE.test(joined) || LAST_WORDS.has(last) || words.some((word) => WORDS.has(word));
}

function isTokenCount(words: readonly string[]): boolean {
  if (COUNTED_TOKENS.has(words.join("_"))) return true;
  const others = words.filter((word) => word !== "tokens");
  return others.length > 0 && others.length === words.length - 1 && others.every((word) => COUNT_WORDS.has(word));
}
