/**
 * What is probably wrong when the API does not answer as it should, in one sentence with the remedy: most of these are mistakes of
 * the set-up, and the error alone ("socket hang up") does not name them.
 */
import { toError } from "../../platform/index.ts";
import { ApiRefusal, ForeignAnswer } from "./api-answer.ts";

/** The option in all remedies: a scheduler gives it to the containers and functions that it launches. */
const BASE_URL = "[api] base_url";
const OPTION = `${BASE_URL} (BARAM__API__BASE_URL)`;

/** null: the error says it all. `url`: the API as the worker was told it. */
export function explainFault(url: string, error: unknown): string | null {
  const { protocol, hostname, port, origin } = new URL(url);
  if (error instanceof ApiRefusal) return explainRefusal(origin, error);
  if (error instanceof ForeignAnswer)
    return `something else than Baram's API answers at ${origin}, such as the login page of a proxy: give workers a way around it, or correct ${OPTION}.`;
  const { code, message } = causeOf(error);
  if (isLoopback(hostname))
    return `the API server does not run where the worker does: ${hostname} is the worker's own machine or container. Set ${OPTION} to an address that workers can reach, for schedulers and workers alike. (If the API server does run there, it is down.)`;
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return `the name ${hostname} is unknown to the worker's DNS: correct ${OPTION}, or make the name known in the worker's network (a private DNS zone is valid only in the networks that it is attached to).`;
  if (code === "ECONNREFUSED")
    return `nothing listens at ${hostname}, port ${port || (protocol === "https:" ? 443 : 80)}: check that the API server runs and that the port of ${OPTION} is right. An API server with [api] host 127.0.0.1 listens for its own machine only.`;
  if (/^(ETIMEDOUT|ENETUNREACH|EHOSTUNREACH)$/.test(code) || /^no answer within/.test(message))
    return `packets to ${hostname} are lost on the way: usually a security group or firewall does not let the worker in, or its private subnet has no route (NAT gateway, or a load balancer inside of the network).`;
  if (code === "EPROTO" && /wrong version number|packet length too long|unknown protocol/i.test(message))
    return `${origin} does not speak TLS: begin the URL in ${OPTION} with http: instead of https:, or correct its port.`;
  if (isCertificateFault(code))
    return `the worker does not trust the TLS certificate of ${hostname} (${code}): use one of a known authority, or give the worker the authority's certificate with NODE_EXTRA_CA_CERTS; the name in the certificate must be ${hostname}.`;
  if (protocol === "http:" && (code === "ECONNRESET" || code.startsWith("HPE_")))
    return `${origin} breaks off plain HTTP: if the port expects TLS, begin the URL in ${OPTION} with https:; otherwise see what stands between the worker and the API server.`;
  return null;
}

function explainRefusal(origin: string, { status, code, foreign }: ApiRefusal): string | null {
  if (code === "token_expired")
    return "the token is over: the workload waited for too long, or the clocks of the API server and the scheduler differ.";
  if (code === "token_invalid" || code === "token_missing")
    return `the API server at ${origin} has another [api_auth] jwt_secret than the scheduler, so it is probably one of another deployment: correct ${OPTION}, or give all roles the same secret.`;
  if (foreign === null) return null;
  if (foreign.location !== null)
    return `${origin} sends workers elsewhere, to ${foreign.location}: set ${OPTION} to the URL that answers itself, usually the one with https:.`;
  if (status === 400 && /https|tls|ssl/i.test(foreign.title ?? ""))
    return `the port expects TLS: begin the URL in ${OPTION} with https:.`;
  if (status === 401 || status === 403)
    return `a proxy in front of the API, and not Baram, refuses the worker: let requests to /execution pass without a login of its own, or correct ${OPTION}.`;
  if (status === 404)
    return `there is no execution API under this URL: ${OPTION} has a path that is wrong or missing, or names another server; Baram's API answers at ${BASE_URL} + /execution/health.`;
  if (status === 502 || status === 503 || status === 504)
    return `a proxy answers in place of the API server, which is down, overloaded or not where the proxy looks for it.`;
  return null;
}

/** The innermost error: the outer ones say only that the API cannot be reached. */
function causeOf(error: unknown): { code: string; message: string } {
  let inner = toError(error) as NodeJS.ErrnoException & { errors?: unknown };
  for (let depth = 0; depth < 5; depth++) {
    // A name with several addresses: one error for each.
    const next = inner.cause ?? (Array.isArray(inner.errors) ? inner.errors[0] : undefined);
    if (!(next instanceof Error)) break;
    inner = next;
  }
  return { code: inner.code ?? "", message: inner.message };
}

export function isLoopback(hostname: string): boolean {
  return /^(localhost|.*\.localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|\[::1?\])$/i.test(hostname);
}

function isCertificateFault(code: string): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME/.test(code);
}
