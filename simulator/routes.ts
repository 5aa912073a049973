import { numberOf, type Account, type Catalogue } from './catalogue';
import {
  asset,
  releasesOf,
  issue,
  organization,
  partsOf,
  repositories,
  repository,
  user,
  type Payload,
} from './payloads';
import { GraphqlApi } from './graphql';
import type { RateLimitResource } from './rate-limits';

/** A request as the routes see it. */
export interface ApiRequest {
  readonly method: string;
  /** Without the base path; segments decoded. */
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
  readonly accept: string;
  readonly token: string | undefined;
  readonly body: Payload;
  /** The body as it came. */
  readonly bytes: Buffer;
  readonly contentType: string;
}

/** What a route answers, before headers that depend on the request are added. */
export interface ApiAnswer {
  readonly route: string;
  readonly status: number;
  readonly payload?: unknown;
  /** Instead of a JSON payload. */
  readonly bytes?: Buffer;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly lastModified?: string;
  readonly resource?: RateLimitResource;
  /** Not counted against the rate limit. */
  readonly isFree?: boolean;
}

const DOCS = 'https://docs.github.com/rest';
const LISTS = /^(commits|branches|tags|pulls|contributors|stargazers|events|labels)$/;

/** GitHub's routes, as far as a cache in front of it needs them. */
export class Routes {
  constructor(
    private readonly catalogue: Catalogue,
    private readonly base: string,
    /** As the base URL, by another name of the host. */
    private readonly uploadsBase: string,
    private readonly limitsOf: (token: string | undefined) => Payload,
  ) {}

  answer(request: ApiRequest): ApiAnswer {
    const [head, ...rest] = request.segments;
    if (request.token === 'bad') return problem('*', 401, 'Bad credentials');
    switch (head) {
      case undefined:
        return {
          route: '/',
          status: 200,
          payload: { current_user_url: `${this.base}/user`, user_url: `${this.base}/users/{user}` },
        };
      case 'meta':
        return {
          route: '/meta',
          status: 200,
          payload: { verifiable_password_authentication: false, hooks: ['192.30.252.0/22'], web: ['192.30.252.0/22'] },
        };
      case 'rate_limit':
        return { route: '/rate_limit', status: 200, payload: this.limitsOf(request.token), isFree: true };
      case 'user':
        if (/^\d+$/.test(rest[0] ?? '')) return this.accountById('users', request, rest);
        return this.viewer(request, rest);
      case 'organizations':
        return this.accountById('orgs', request, rest);
      case 'users':
      case 'orgs':
        return this.account(head, request, rest);
      case 'repositories':
        return this.repositoryById(request, rest);
      case 'repos':
        return this.repository(request, rest);
      case 'search':
        return this.search(request);
      case 'graphql':
        return this.graphql(request);
      default:
        return notFound('*');
    }
  }

  private viewer(request: ApiRequest, rest: readonly string[]): ApiAnswer {
    const { method, token } = request;
    if (token === undefined) return problem('/user', 401, 'Requires authentication');
    if (rest[0] === 'starred' && rest.length === 3 && (method === 'PUT' || method === 'DELETE')) {
      this.catalogue.star(`${rest[1] ?? ''}/${rest[2] ?? ''}`.toLowerCase(), method === 'PUT' ? 1 : -1);
      return { route: '/user/starred/{owner}/{repo}', status: 204 };
    }
    const account = this.catalogue.account(loginOf(token));
    if (account && rest[0] === 'repos' && rest.length === 1)
      return this.page('/user/repos', request, repositories(this.base, this.catalogue, account));
    if (rest.length > 0) return notFound('/user/{list}');
    return account ? { route: '/user', status: 200, payload: user(this.base, account) } : notFound('/user');
  }

  private graphql({ method, token, body }: ApiRequest): ApiAnswer {
    const route = '/graphql';
    if (method !== 'POST') return notFound(route);
    if (token === undefined) return problem(route, 401, 'This endpoint requires you to be authenticated.');
    const payload = new GraphqlApi(this.catalogue, this.catalogue.account(loginOf(token))).answer(body);
    return { route, status: 200, payload, resource: 'graphql' };
  }

  private account(kind: 'users' | 'orgs', request: ApiRequest, [name = '', list]: readonly string[]): ApiAnswer {
    const route = `/${kind}/{${kind === 'users' ? 'login' : 'org'}}${list === undefined ? '' : `/${list}`}`;
    const account = this.catalogue.account(name);
    if (!account || (kind === 'orgs' && account.type !== 'Organization')) return notFound(route);
    const lastModified = new Date(account.updatedAt).toUTCString();
    if (list === undefined) {
      const payload = kind === 'users' ? user(this.base, account) : organization(this.base, account);
      return { route, status: 200, payload, lastModified };
    }
    if (list !== 'repos') return notFound(route);
    return this.page(route, request, repositories(this.base, this.catalogue, account));
  }

  private accountById(kind: 'users' | 'orgs', request: ApiRequest, [id, ...rest]: readonly string[]): ApiAnswer {
    const account = this.catalogue.accountById(Number(id));
    return account ? this.account(kind, request, [account.login, ...rest]) : notFound(`/${kind}/{id}`);
  }

  private repositoryById(request: ApiRequest, [id, ...rest]: readonly string[]): ApiAnswer {
    const fullName = this.catalogue.repositoryById(Number(id));
    return fullName === undefined
      ? notFound('/repositories/{id}')
      : this.repository(request, [...fullName.split('/'), ...rest]);
  }

  private repository(request: ApiRequest, [ownerName = '', name = '', part, ...rest]: readonly string[]): ApiAnswer {
    const route = `/repos/{owner}/{repo}${part === undefined ? '' : `/${part}`}`;
    const newName = this.catalogue.newNameOf(ownerName, name);
    if (newName !== undefined) {
      const url = `${this.base}/repositories/${this.catalogue.idOf(newName)}`;
      return {
        route,
        status: 301,
        payload: { message: 'Moved Permanently', url, documentation_url: DOCS },
        headers: { location: url },
      };
    }
    const found = this.catalogue.repository(ownerName, name);
    if (!found || (found.isPrivate && !request.token?.startsWith('ghp_owner'))) return notFound(route);
    const fullName = `${found.owner.login}/${found.name}`;
    if (part === undefined) {
      if (request.method === 'PATCH' || request.method === 'DELETE') return this.changeRepository(route, request);
      const payload = repository(this.base, this.catalogue, found.owner, found.name, found.isPrivate);
      return { route, status: 200, payload, lastModified: new Date('2026-10-01T08:30:00Z').toUTCString() };
    }
    if (part === 'issues') return this.issues(request, fullName, rest);
    if (part === 'git' && rest[0] === 'blobs') return blob(`${route}/blobs/{sha}`, request.query);
    if (part === 'readme' || part === 'contents') return readme(route, request.accept, fullName);
    if (part === 'tarball' || part === 'zipball') {
      return {
        route,
        status: 302,
        headers: { location: `https://codeload.github.com/${fullName}/${part}?token=${numberOf(fullName)}` },
      };
    }
    if (part === 'stats') return { route: `${route}/{kind}`, status: 202, payload: {} };
    if (part === 'releases') return this.releases(request, found.owner, fullName, rest);
    if (!LISTS.test(part)) return notFound(route);
    const parts = partsOf(this.base, found.owner, fullName, part);
    if (rest[0] === undefined) return this.page(route, request, parts);
    const one = rest[0] === 'latest' ? parts[0] : parts[Number(rest[0]) - 1];
    return one ? { route: `${route}/{id}`, status: 200, payload: one } : notFound(route);
  }

  private releases(request: ApiRequest, owner: Account, fullName: string, rest: readonly string[]): ApiAnswer {
    const route = '/repos/{owner}/{repo}/releases';
    const { method, query, token, bytes, contentType, accept } = request;
    const releases = releasesOf(this.base, owner, fullName, this.uploadsBase, this.catalogue);
    const [first, second] = rest;
    if (first === undefined) return this.page(route, request, releases);
    if (first === 'assets') {
      const found = this.catalogue.asset(Number(second));
      if (!found) return notFound(`${route}/assets/{id}`);
      const file = accept.includes('octet-stream');
      const content = file ? { bytes: found.bytes, contentType: found.contentType } : {};
      return { route: `${route}/assets/{id}`, status: 200, payload: asset(this.base, fullName, found), ...content };
    }
    const one =
      first === 'latest'
        ? releases[0]
        : releases.find(
            ({ id, tag_name: tag }, at) =>
              String(id) === first || String(at + 1) === first || (first === 'tags' && tag === second),
          );
    if (!one) return notFound(`${route}/{id}`);
    if (second !== 'assets') return { route: `${route}/{id}`, status: 200, payload: one };
    const id = Number(one['id']);
    if (method !== 'POST')
      return this.page(
        `${route}/{id}/assets`,
        request,
        this.catalogue.assetsOf(id).map((file) => asset(this.base, fullName, file)),
      );
    if (token === undefined) return problem(`${route}/{id}/assets`, 401, 'Requires authentication');
    const made = this.catalogue.addAsset(id, query.get('name') ?? 'file', contentType, bytes);
    return { route: `${route}/{id}/assets`, status: 201, payload: asset(this.base, fullName, made) };
  }

  private changeRepository(route: string, { method, token }: ApiRequest): ApiAnswer {
    if (token === undefined) return problem(route, 401, 'Requires authentication');
    this.catalogue.touch();
    return method === 'DELETE' ? { route, status: 204 } : { route, status: 200, payload: { updated: true } };
  }

  private issues(request: ApiRequest, fullName: string, [number, comments]: readonly string[]): ApiAnswer {
    const route = `/repos/{owner}/{repo}/issues${number === undefined ? '' : '/{number}'}${comments === undefined ? '' : '/comments'}`;
    const key = fullName.toLowerCase();
    const owner = this.catalogue.account(fullName.split('/')[0] ?? '');
    if (!owner) return notFound(route);
    const { method, body, token } = request;
    if (method !== 'GET' && token === undefined) return problem(route, 401, 'Requires authentication');
    if (number === undefined) {
      if (method !== 'POST')
        return this.page(
          route,
          request,
          this.catalogue.issuesOf(key).map((one) => issue(this.base, owner, fullName, one)),
        );
      if (typeof body['title'] !== 'string') return problem(route, 422, 'Validation Failed');
      const made = issue(this.base, owner, fullName, this.catalogue.addIssue(key, body['title'], textOf(body['body'])));
      return { route, status: 201, payload: made, headers: { location: String(made['url']) } };
    }
    const found = this.catalogue.issuesOf(key)[Number(number) - 1];
    if (!found) return notFound(route);
    if (comments !== undefined) {
      if (method === 'POST') found.comments.push(textOf(body['body']));
      if (method === 'POST') this.catalogue.touch();
      const list = found.comments.map((text, at) => ({ id: at + 1, body: text }));
      return method === 'POST' ? { route, status: 201, payload: list.at(-1) } : this.page(route, request, list);
    }
    if (method === 'PATCH') {
      if (typeof body['title'] === 'string') found.title = body['title'];
      if (body['state'] === 'open' || body['state'] === 'closed') found.state = body['state'];
      this.catalogue.touch();
    }
    return { route, status: 200, payload: issue(this.base, owner, fullName, found) };
  }

  private search(request: ApiRequest): ApiAnswer {
    const owner = this.catalogue.account('redis');
    const items = owner ? repositories(this.base, this.catalogue, owner).slice(0, 30) : [];
    const page = this.page('/search/repositories', request, items);
    return {
      ...page,
      resource: 'search',
      payload: { total_count: items.length, incomplete_results: false, items: page.payload },
    };
  }

  /** GitHub's links name accounts and repositories by their ids. */
  private byId(segments: readonly string[]): readonly string[] {
    const [kind, name = '', ...rest] = segments;
    const [repository = '', ...below] = rest;
    if (kind === 'repos') return ['repositories', String(this.catalogue.idOf(`${name}/${repository}`)), ...below];
    if (kind !== 'users' && kind !== 'orgs') return segments;
    const id = this.catalogue.account(name)?.id;
    return id === undefined ? segments : [kind === 'users' ? 'user' : 'organizations', String(id), ...rest];
  }

  /** `Link` as GitHub writes it: absolute, prev and next before last and first. */
  private page(route: string, { segments, query }: ApiRequest, items: readonly unknown[]): ApiAnswer {
    const perPage = clamp(Number(query.get('per_page') ?? 30), 1, 100);
    const last = Math.max(1, Math.ceil(items.length / perPage));
    const page = clamp(Number(query.get('page') ?? 1), 1, 1_000_000);
    const link = (to: number, rel: string): string => {
      const others = new URLSearchParams(query);
      others.set('page', String(to));
      return `<${this.base}/${this.byId(segments).map(encodeURIComponent).join('/')}?${others.toString()}>; rel="${rel}"`;
    };
    const links = [
      ...(page > 1 ? [link(page - 1, 'prev')] : []),
      ...(page < last ? [link(page + 1, 'next'), link(last, 'last')] : []),
      ...(page > 1 ? [link(1, 'first')] : []),
    ];
    const payload = items.slice((page - 1) * perPage, page * perPage);
    return { route, status: 200, payload, headers: links.length > 0 ? { link: links.join(', ') } : {} };
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function loginOf(token: string | undefined): string {
  return token?.replace(/[^a-z\d]/gi, '').slice(0, 20) ?? 'octocat';
}

function clamp(value: number, min: number, max: number): number {
  return Number.isFinite(value) ? Math.min(max, Math.max(min, Math.floor(value))) : min;
}

export function problem(route: string, status: number, message: string): ApiAnswer {
  return { route, status, payload: { message, documentation_url: DOCS, status: String(status) } };
}

function notFound(route: string): ApiAnswer {
  return problem(route, 404, 'Not Found');
}

function blob(route: string, query: URLSearchParams): ApiAnswer {
  const size = clamp(Number(query.get('bytes') ?? 1_000), 0, 1_073_741_824);
  return {
    route,
    status: 200,
    bytes: Buffer.alloc(size, 'larder simulator blob '),
    contentType: 'application/octet-stream',
  };
}

function readme(route: string, accept: string, fullName: string): ApiAnswer {
  const text = `# ${fullName}\n\nThe read me of ${fullName}.\n`;
  if (accept.includes('raw'))
    return { route, status: 200, bytes: Buffer.from(text), contentType: 'application/vnd.github.raw; charset=utf-8' };
  if (accept.includes('html'))
    return {
      route,
      status: 200,
      bytes: Buffer.from(`<h1>${fullName}</h1>`),
      contentType: 'application/vnd.github.html; charset=utf-8',
    };
  const payload = {
    type: 'file',
    encoding: 'base64',
    size: text.length,
    name: 'README.md',
    path: 'README.md',
    content: Buffer.from(text).toString('base64'),
  };
  return { route, status: 200, payload };
}
