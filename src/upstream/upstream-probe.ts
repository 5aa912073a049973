import { retryAfterLimits } from './budget/limit-adapters';
import type { ResourceLimit } from './budget/credential-budget';
import { bearer } from './gateway/credentials';
import { closeAgents, openAgents } from './sockets';
import type { UpstreamDefinition } from './upstream-definition';
import type { UpstreamLimits } from './upstream-api';
import { upstreamSettings } from './upstream-settings';

/** What one request says of an upstream. */
export interface ProbeResult {
  readonly url: string;
  readonly hasToken: boolean;
  /** Undefined where it could not be reached. */
  readonly status: number | undefined;
  /** Why it could not be reached. */
  readonly failure: string | undefined;
  /** The scopes of the token, where the upstream announces them. */
  readonly scopes: string | undefined;
  readonly limits: readonly (ResourceLimit & { readonly resource: string })[];
}

/** Asks an upstream once, as the service does: with its token, its sockets and its time limits. */
export async function probeUpstream(
  definition: UpstreamDefinition,
  { connectTimeoutMs, timeoutMs }: Pick<UpstreamLimits, 'connectTimeoutMs' | 'timeoutMs'>,
): Promise<ProbeResult> {
  const { probe, credentials, rateLimit = retryAfterLimits() } = definition;
  const settings = upstreamSettings(definition);
  const { token } = settings;
  const credential = token === undefined ? undefined : (credentials?.send ?? bearer)(token);
  const url = settings.baseUrl + (probe?.path ?? '');
  const parameter = credential?.in === 'query' ? `${credential.name}=${encodeURIComponent(credential.value)}` : '';
  const query = parameter === '' ? '' : `${url.includes('?') ? '&' : '?'}${parameter}`;
  const headers = {
    ...{ accept: 'application/json', 'user-agent': 'larder', ...definition.headers?.(settings) },
    ...(credential?.in === 'header' ? { [credential.name]: credential.value } : {}),
  };
  const agents = openAgents(connectTimeoutMs);
  const known = { url, hasToken: token !== undefined };
  try {
    const { default: axios } = await import('axios');
    const answer = await axios.get<string>(url + query, {
      ...{ headers, httpAgent: agents.http, httpsAgent: agents.https, proxy: false, maxRedirects: 0 },
      ...{ timeout: timeoutMs, responseType: 'text', validateStatus: null, transformResponse: (text: string) => text },
    });
    const field = (name: string): string | undefined => {
      const value: unknown = answer.headers[name];
      return typeof value === 'string' ? value : undefined;
    };
    const read = rateLimit.read('default', { status: answer.status, field, text: answer.data }, Date.now());
    const limits = read.flatMap(({ resource, limit }) => (limit ? [{ resource, ...limit }] : []));
    const scopes = probe?.scopesField === undefined ? undefined : field(probe.scopesField);
    return { ...known, status: answer.status, failure: undefined, scopes, limits };
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    const failure = code === undefined || message.includes(code) ? message : `${message} (${code})`;
    return { ...known, status: undefined, failure, scopes: undefined, limits: [] };
  } finally {
    closeAgents(agents);
  }
}
