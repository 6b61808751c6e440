// The API that authors import from "baram/providers/smtp".
export { SmtpNotifier, type SmtpNotifierOptions } from "./smtp-notifier.ts";
