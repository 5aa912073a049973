import { settingName, type ProbeResult, type UpstreamDefinition } from '../upstream';
import { findingsOf, type Finding } from './finding';

const FEW_REQUESTS = 100;
/** The share of a limit below which it is reported. */
const NEARLY_SPENT = 0.1;

/** Judges an upstream by the response to one request. */
export function upstreamFindings(definition: UpstreamDefinition, probe: ProbeResult): readonly Finding[] {
  const { name, title = name } = definition;
  const { ok, problem } = findingsOf(title);
  const { url, status, failure, hasToken } = probe;
  const apiUrl = settingName(definition, 'API_URL');
  const token = settingName(definition, 'TOKEN');
  if (status === undefined)
    return [
      problem(
        `${url} cannot be reached: ${failure ?? 'no answer'}.`,
        /certificate|self.signed|altnames/i.test(failure ?? '')
          ? 'Its certificate is not trusted: set NODE_EXTRA_CA_CERTS to the PEM file of its authority.'
          : `Check ${apiUrl}, the DNS and the firewall; the service goes without a proxy.`,
      ),
    ];
  if (status === 401)
    return [
      problem(
        `${url} refuses ${hasToken ? `the token in ${token}` : 'requests without a token'} (401).`,
        hasToken ? `Make a new token and set ${token}; the old one has ended or was revoked.` : `Set ${token}.`,
      ),
    ];
  if (status >= 500)
    return [problem(`${url} answers ${status}.`, `It is down, or ${apiUrl} names a proxy: try again later.`)];
  if (status >= 300 && status < 400)
    return [problem(`${url} redirects (${status}).`, `Set ${apiUrl} to where it redirects.`)];
  return [
    ok(`${url} answers ${status}${hasToken ? `, with the token in ${token}` : ', without a token'}.`),
    ...scopeFindings(title, token, probe),
    ...limitFindings(title, token, probe),
  ];
}

function scopeFindings(title: string, token: string, { scopes, hasToken }: ProbeResult): Finding[] {
  if (!hasToken || scopes === undefined) return [];
  const { ok, warning } = findingsOf(title);
  const writing = scopes
    .split(',')
    .filter((one) => /^(?:repo|admin|write|delete|workflow|gist|user)\b/.test(one.trim()));
  if (writing.length === 0) return [ok(`The token may: ${scopes.trim() === '' ? 'read what is public' : scopes}.`)];
  return [
    warning(
      `The token may do more than read: ${writing.map((one) => one.trim()).join(', ')}.`,
      `Use a token for ${token} that can only read what shall be served: callers write with their own.`,
    ),
  ];
}

function limitFindings(title: string, token: string, { limits, hasToken }: ProbeResult): Finding[] {
  const { ok, warning } = findingsOf(title);
  return limits.map(({ resource, limit, remaining, resetAt }) => {
    const text = `${remaining} of ${limit} requests (${resource}) are left until ${new Date(resetAt).toISOString()}.`;
    if (!hasToken && limit <= FEW_REQUESTS) return warning(`${text} That is few.`, `Set ${token} to have more.`);
    if (remaining < limit * NEARLY_SPENT)
      return warning(`${text} That is nearly nothing.`, 'See who spends them: docs/guides/runbook.md.');
    return ok(text);
  });
}
