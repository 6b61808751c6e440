export { ALERT_NAMES, type AlertTexts } from "./compose-alert.ts";
export { checkTemplate } from "./fill-template.ts";
export { type Mailer, type MailerOptions, type MailerResources, startMailer } from "./start-mailer.ts";
