export * from "./compose-mail.ts";
export * from "./escape-html.ts";
export * from "./send-mail.ts";
export * from "./smtp-settings.ts";
