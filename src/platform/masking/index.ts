export { learnFromCall } from "./learn-from-call.ts";
export { createMasker, type Masker } from "./masker.ts";
export { HIDDEN, hideInText, hideSecrets, restoreHidden } from "./named-secrets.ts";
export { createNameRule, type NameRule } from "./sensitive-names.ts";
