import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Catalogue, type Account } from './catalogue';
import { control } from './control';
import { FaultPlan } from './faults';
import { misbehave } from './misbehaviour';
import { DEFAULT_RATE_LIMITS, RateLimits, type RateLimitSettings } from './rate-limits';
import { isNotModified, represent } from './representation';
import { RequestLog } from './request-log';
import { problem, Routes, type ApiAnswer, type ApiRequest } from './routes';

export type Latency = number | readonly [minMs: number, maxMs: number];

export interface SimulatorOptions {
  /** 0, the default, is any free port. */
  readonly port?: number;
  readonly host?: string;
  /** How long an answer takes, in milliseconds; by default 150 to 400. */
  readonly latencyMs?: Latency;
  /** Such as `/api/v3`, as on GitHub Enterprise Server. */
  readonly basePath?: string;
  /** How the API names itself in its answers, if that is not `url`: behind a proxy. */
  readonly publicUrl?: string;
  readonly clock?: () => number;
  readonly rateLimit?: Partial<RateLimitSettings>;
}

const VARY = 'Accept, Authorization, Cookie, X-GitHub-OTP,Accept-Encoding, Accept, X-Requested-With';
const VERSIONS: ReadonlySet<string> = new Set(['2022-11-28', '2026-03-10']);
const MAX_BODY_BYTES = 26_214_400;

/** GitHub's REST API on a real socket: for tests, the demo and benchmarks. What differs from GitHub is a mistake here. */
export class GithubSimulator {
  readonly requests = new RequestLog();
  readonly faults = new FaultPlan();
  readonly catalogue = new Catalogue();
  latencyMs: Latency;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private readonly limits: RateLimits;
  private readonly clock: () => number;
  private held: Promise<void> | undefined;
  private underWay = 0;
  private port = 0;

  private constructor(private readonly options: SimulatorOptions) {
    this.latencyMs = options.latencyMs ?? [150, 400];
    this.clock = options.clock ?? Date.now;
    this.limits = new RateLimits({ ...DEFAULT_RATE_LIMITS, ...options.rateLimit }, this.clock);
    this.server = createServer(
      { keepAliveTimeout: 60_000 },
      (request, response) => void this.handle(request, response),
    );
    this.server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  static async start(options: SimulatorOptions = {}): Promise<GithubSimulator> {
    const simulator = new GithubSimulator(options);
    await simulator.listen(options.port ?? 0);
    return simulator;
  }

  /** The base URL, for `GITHUB_API_URL`. */
  get url(): string {
    return `http://${this.options.host ?? '127.0.0.1'}:${this.port}${this.options.basePath ?? ''}`;
  }

  /** Where release assets are uploaded, for `GITHUB_UPLOADS_URL`: another name of the same server. */
  get uploadsUrl(): string {
    const url = this.publicUrl;
    return url.endsWith('/api/v3') ? url.replace(/v3$/, 'uploads') : url.replace('//127.0.0.1:', '//localhost:');
  }

  private get publicUrl(): string {
    return this.options.publicUrl ?? this.url;
  }

  /** Requests that have come and are not answered yet. */
  get inFlight(): number {
    return this.underWay;
  }

  /** Lets no answer go until the function it returns is called. */
  hold(): () => void {
    let release = (): void => undefined;
    this.held = new Promise((resolve) => {
      release = () => {
        this.held = undefined;
        resolve();
      };
    });
    return release;
  }

  setAccount(login: string, patch: Partial<Account>): void {
    this.catalogue.setAccount(login, patch);
  }

  /** Goes away, connections and all: the API is down. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  /** Comes back on the same port. */
  restart(): Promise<void> {
    return this.listen(this.port);
  }

  private listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, this.options.host ?? '127.0.0.1', () => {
        this.server.off('error', reject);
        this.port = (this.server.address() as AddressInfo).port;
        resolve();
      });
    });
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://simulator');
    const body = await readBody(request);
    if (url.pathname.startsWith('/_simulator/')) {
      control(this, request.method ?? 'GET', url.pathname, body, response);
      return;
    }
    this.underWay += 1;
    response.on('close', () => (this.underWay -= 1));
    await this.answer(request, url, body, response);
  }

  private async answer(request: IncomingMessage, url: URL, body: Buffer, response: ServerResponse): Promise<void> {
    const asked = toApiRequest(request, url, this.options.basePath ?? '', body);
    const answer = this.route(request, asked);
    const { method = 'GET', headers } = request;
    const logged = { method, url: `${url.pathname}${url.search}`, route: answer.route, headers, status: answer.status };
    this.requests.add(logged);
    const fault = this.faults.take(logged.url);
    await this.held;
    await pause(fault?.kind === 'latency' ? fault.ms : latency(this.latencyMs));
    if (response.destroyed) return;
    const accept = headers.accept ?? '*/*';
    const {
      body: bytes,
      headers: described,
      etag,
    } = represent(answer, [headers['accept-encoding'] ?? ''].flat().join(), accept, asked.token);
    const mayBeConditional = answer.status === 200 && (method === 'GET' || method === 'HEAD');
    const isSame = mayBeConditional && isNotModified(headers, etag, answer.lastModified);
    const resource = answer.resource ?? 'core';
    if (!answer.isFree && !(isSame && asked.token !== undefined)) this.limits.spend(asked.token, resource);
    const validators = mayBeConditional
      ? { etag, ...(answer.lastModified === undefined ? {} : { 'last-modified': answer.lastModified }) }
      : {};
    const sent = {
      server: 'github.com',
      'cache-control': `${asked.token === undefined ? 'public' : 'private'}, max-age=60, s-maxage=60`,
      vary: VARY,
      ...validators,
      'x-github-media-type': 'github.v3; format=json',
      'x-github-api-version-selected': String(headers['x-github-api-version'] ?? '2022-11-28'),
      'x-github-request-id': `${this.requests.count().toString(16).toUpperCase()}:SIM`,
      ...this.limits.headers(asked.token, resource),
      ...answer.headers,
    };
    logged.status = isSame ? 304 : answer.status;
    const prepared = { status: answer.status, headers: { ...sent, ...described }, body: bytes };
    if (fault && misbehave(fault, prepared, response, this.clock())) return;
    if (isSame) {
      response.writeHead(304, sent).end();
      return;
    }
    const length = answer.status === 204 ? {} : { 'content-length': String(bytes.length) };
    response.writeHead(answer.status, { ...prepared.headers, ...length }).end(method === 'HEAD' ? undefined : bytes);
  }

  private route(request: IncomingMessage, asked: ApiRequest): ApiAnswer {
    const version = request.headers['x-github-api-version'];
    if (request.headers['user-agent'] === undefined)
      return problem(
        '*',
        403,
        'Request forbidden by administrative rules. Please make sure your request has a User-Agent header.',
      );
    if (typeof version === 'string' && !VERSIONS.has(version))
      return problem('*', 400, `Unsupported X-GitHub-Api-Version ${version}`);
    const answer = this.router.answer(asked);
    if (!answer.isFree && this.limits.isSpent(asked.token, answer.resource ?? 'core')) {
      return problem(
        answer.route,
        403,
        "API rate limit exceeded. (But here's the good news: Authenticated requests get a higher rate limit.)",
      );
    }
    return answer;
  }

  private get router(): Routes {
    return new Routes(this.catalogue, this.publicUrl, this.uploadsUrl, (token) => this.limits.overview(token));
  }
}

function toApiRequest(request: IncomingMessage, url: URL, basePath: string, body: Buffer): ApiRequest {
  const path = pathBehind(basePath, url.pathname);
  const [, token] = /^(?:bearer|token) (\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? 'GET');
  const segments = path
    .split('/')
    .filter((part) => part !== '')
    .map(decodeURIComponent);
  return {
    method,
    segments,
    query: url.searchParams,
    accept: request.headers.accept ?? '',
    token,
    body: parseBody(body),
    bytes: body,
    contentType: request.headers['content-type'] ?? 'application/octet-stream',
  };
}

/** Enterprise Server has GraphQL beside its REST API, not below it. */
function pathBehind(basePath: string, path: string): string {
  const isEnterprise = basePath.endsWith('/api/v3');
  if (isEnterprise && path === basePath.replace(/v3$/, 'graphql')) return '/graphql';
  if (isEnterprise && path.startsWith('/api/uploads/')) return path.slice('/api/uploads'.length);
  if (!path.startsWith(basePath) || (isEnterprise && path === `${basePath}/graphql`)) return '/unknown';
  return path.slice(basePath.length);
}

function parseBody(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {}; // no body, or none that this API reads
  }
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>)
    if ((bytes += chunk.length) <= MAX_BODY_BYTES) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function latency(range: Latency): number {
  if (typeof range === 'number') return range;
  return range[0] + Math.random() * (range[1] - range[0]);
}

function pause(ms: number): Promise<void> {
  return ms <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms));
}
