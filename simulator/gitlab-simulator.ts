import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { GitlabProjects, type GitlabAnswer } from './gitlab-projects';
import { isNotModified } from './representation';
import { RequestLog } from './request-log';

const API = '/api/v4';
const MINUTE_MS = 60_000;
const GZIP_OVER_BYTES = 860;
const TOO_MANY: GitlabAnswer = {
  status: 429,
  payload: { message: { error: 'This endpoint has been requested too many times. Try again later.' } },
};

/** GitLab's REST API on a real socket, for tests. What differs from GitLab is a mistake here. */
export class GitlabSimulator {
  readonly requests = new RequestLog();
  readonly projects = new GitlabProjects(() => this.origin);
  /** Tokens, and the users that they are of: in any of the fields and parameters that GitLab takes. */
  readonly users = new Map([
    ['glpat-root-0123456789abcdef', 'root'],
    ['glpat-alice-0123456789abcde', 'alice'],
    ['oauth-of-alice', 'alice'],
    ['job-of-alice', 'alice'],
  ]);
  /** Requests a minute for each caller. */
  limit = 2_000;
  /** An endpoint whose own limit is spent. */
  spentEndpoint: RegExp | undefined;
  /** Every answer is a 502 of the proxy in front of GitLab. */
  isDown = false;
  private readonly used = new Map<string, number>();
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, response) => void this.handle(request, response));
  }

  /** @param port 0 for any free one */
  static async start(port = 0): Promise<GitlabSimulator> {
    const simulator = new GitlabSimulator();
    await new Promise<void>((resolve) => simulator.server.listen(port, '127.0.0.1', resolve));
    return simulator;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** For `GITLAB_API_URL`. */
  get url(): string {
    return this.origin + API;
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.server.closeAllConnections();
    await closed;
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request);
    const url = new URL(request.url ?? '/', this.origin);
    const { method = 'GET', headers } = request;
    const token = tokenOf(request, url.searchParams);
    const user = token === undefined ? undefined : (headers['sudo']?.toString() ?? this.users.get(token));
    const answer = this.answer(request, url, body, token, user);
    const logged = { method, url: url.pathname + url.search, route: url.pathname, headers, status: answer.status };
    this.requests.add(logged);
    const { page, fields } = pageOf(answer, url, this.origin);
    const payload = page ?? answer.payload;
    const text = payload === undefined ? '' : JSON.stringify(payload);
    const etag = `W/"${createHash('md5').update(text).digest('hex')}"`;
    const described = {
      ...{ 'cache-control': 'max-age=0, private, must-revalidate', vary: 'Origin', 'x-runtime': '0.052' },
      ...{ 'x-content-type-options': 'nosniff', 'x-frame-options': 'SAMEORIGIN', 'x-gitlab-meta': '{"version":"1"}' },
      ...this.limitFields(token ?? '-'),
      ...fields,
    };
    const mayBeConditional = answer.status === 200 && (method === 'GET' || method === 'HEAD');
    if (mayBeConditional && isNotModified(headers, etag, undefined)) {
      logged.status = 304;
      response.writeHead(304, { ...described, etag }).end();
      return;
    }
    const isCompressed = text.length > GZIP_OVER_BYTES && /\bgzip\b/.test(String(headers['accept-encoding']));
    const bytes = isCompressed ? gzipSync(text) : Buffer.from(text);
    response
      .writeHead(answer.status, {
        ...described,
        ...(text !== '' && { 'content-type': 'application/json', 'content-length': String(bytes.length) }),
        ...(isCompressed && { 'content-encoding': 'gzip' }),
        ...(mayBeConditional && { etag }),
        ...(answer.status === 429 && { 'retry-after': '30' }),
      })
      .end(method === 'HEAD' ? undefined : bytes);
  }

  private answer(
    { method = 'GET' }: IncomingMessage,
    url: URL,
    body: Readonly<Record<string, unknown>>,
    token: string | undefined,
    user: string | undefined,
  ): GitlabAnswer {
    if (this.isDown) return { status: 502, payload: { message: '502 Bad Gateway' } };
    const used = (this.used.get(token ?? '-') ?? 0) + 1;
    this.used.set(token ?? '-', used);
    if (used > this.limit || this.spentEndpoint?.test(url.pathname) === true) return TOO_MANY;
    if (token !== undefined && user === undefined) return { status: 401, payload: { message: '401 Unauthorized' } };
    if (url.pathname === '/api/graphql') return this.graphql(body);
    if (!url.pathname.startsWith(`${API}/`)) return { status: 404, payload: { error: '404 Not Found' } };
    const segments = url.pathname
      .slice(API.length + 1)
      .split('/')
      .filter((segment) => segment !== '') // as Rails does
      .map(decodeURIComponent);
    return this.projects.answer({
      method: method === 'HEAD' ? 'GET' : method,
      segments,
      query: url.searchParams,
      body,
      user,
    });
  }

  private graphql({ query, variables }: Readonly<Record<string, unknown>>): GitlabAnswer {
    const { path = '', title = '' } = (variables ?? {}) as { path?: string; title?: string };
    const project = this.projects.find(path);
    if (/^mutation/.test(String(query)))
      project?.issues.push({ iid: project.issues.length + 1, title, state: 'opened' });
    return { status: 200, payload: { data: { project: { fullPath: path, openIssuesCount: project?.issues.length } } } };
  }

  /** As GitLab.com sends them (https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/#response-headers). */
  private limitFields(caller: string): Record<string, string> {
    const used = this.used.get(caller) ?? 0;
    return {
      'ratelimit-limit': String(this.limit),
      'ratelimit-name': caller === '-' ? 'throttle_unauthenticated_api' : 'throttle_authenticated_api',
      'ratelimit-observed': String(used),
      'ratelimit-remaining': String(Math.max(0, this.limit - used)),
      'ratelimit-reset': String(Math.ceil(Date.now() / MINUTE_MS) * 60),
    };
  }
}

/** https://docs.gitlab.com/api/rest/authentication/ */
function tokenOf({ headers }: IncomingMessage, query: URLSearchParams): string | undefined {
  const [, bearer] = /^bearer (\S+)$/i.exec(headers.authorization ?? '') ?? [];
  const fields = [headers['private-token'], headers['job-token'], bearer].map((one) => one?.toString());
  const parameters = ['private_token', 'job_token', 'access_token'].map((name) => query.get(name) ?? undefined);
  return [...fields, ...parameters].find((one) => one !== undefined);
}

/** https://docs.gitlab.com/api/rest/#offset-based-pagination */
function pageOf({ items }: GitlabAnswer, url: URL, origin: string) {
  if (!items) return { page: undefined, fields: {} };
  const at = Number(url.searchParams.get('page') ?? 1);
  const size = Number(url.searchParams.get('per_page') ?? 20);
  const pages = Math.max(1, Math.ceil(items.length / size));
  const linkTo = (page: number, rel: string): string => {
    const query = new URLSearchParams(url.searchParams);
    query.set('page', String(page));
    query.set('per_page', String(size));
    return `<${origin}${url.pathname}?${query.toString()}>; rel="${rel}"`;
  };
  const links = [
    ...(at > 1 ? [linkTo(at - 1, 'prev')] : []),
    ...(at < pages ? [linkTo(at + 1, 'next')] : []),
    ...[linkTo(1, 'first'), linkTo(pages, 'last')],
  ];
  const fields = {
    ...{ link: links.join(', '), 'x-page': String(at), 'x-per-page': String(size), 'x-total': String(items.length) },
    ...{ 'x-next-page': at < pages ? String(at + 1) : '', 'x-prev-page': at > 1 ? String(at - 1) : '' },
    'x-total-pages': String(pages),
  };
  return { page: items.slice((at - 1) * size, at * size), fields };
}

async function bodyOf(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as Readonly<Record<string, unknown>>;
  } catch {
    return {}; // none, or a form, which nobody sends here
  }
}
