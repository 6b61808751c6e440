// What an author imports from "baram/providers/smtp".
export { SmtpNotifier, type SmtpNotifierOptions } from "./smtp-notifier.ts";
