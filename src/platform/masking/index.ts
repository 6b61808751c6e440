export { learnFromCall } from "./learn-from-call.ts";
export { createMasker, type Masker } from "./masker.ts";
export { HIDDEN, hideInText, hideSecrets, restoreHidden } from "./named-secrets.ts";
export { SECRET_MIN_LENGTH } from "./secret-forms.ts";
export { createNameRule, type NameRule } from "./sensitive-names.ts";
