import { everythingLogged } from '../support/everything-logged';
import {
  rawRequest,
  request,
  type HttpAnswer,
  type HttpRequestOptions,
  type RawRequestOptions,
} from '../support/raw-http';
import { ScriptedOrigin, type OriginScript } from '../support/scripted-origin';
import { ServiceProcess } from '../support/service-process';
import { ADMIN, ask } from './ask';

export const BASE = '/github';
/** Every token of the attacks has this in it, and nothing else has. */
export const TOKEN_MARK = 'ghp_attacker_';
export const WEBHOOK_SECRET = 'a-webhook-secret-of-the-tests';

/** What the origin was asked, as it tells it in its answer. */
export interface Reflection {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

/** Answers with all it was asked, for everybody to keep. */
export const reflect: OriginScript = (response, { method, url, rawHeaders, body }) => {
  const seen: Reflection = { method, url, rawHeaders, body: body.toString('latin1') };
  response.writeHead(200, { 'cache-control': 'public, max-age=60', 'content-type': 'application/json' });
  response.end(JSON.stringify(seen));
};

/** The service in front of an origin of the test's own, and ways to ask it anything. */
export class Hostilities {
  private constructor(
    readonly origin: ScriptedOrigin,
    readonly service: ServiceProcess,
  ) {}

  /** @param base the path of the API on its origin */
  static async start(base = '', env: Readonly<Record<string, string>> = {}): Promise<Hostilities> {
    const origin = await ScriptedOrigin.start(reflect);
    const service = await ServiceProcess.start({
      env: {
        ...{
          GITHUB_API_URL: `${origin.url}${base}`,
          ADMIN_TOKEN: 'test-admin-token',
          GITHUB_WEBHOOK_SECRET: WEBHOOK_SECRET,
        },
        ...{ UPSTREAM_TIMEOUT_MS: '2000', UPSTREAM_BREAKER_FAILURES: '1000', CACHE_MAX_ENTRY_BYTES: '1000000' },
        ...env,
      },
    });
    return new Hostilities(origin, service);
  }

  async stop(): Promise<void> {
    await this.service.stop();
    await this.origin.stop();
  }

  through(path: string, options: HttpRequestOptions = {}): Promise<HttpAnswer> {
    return request(`${this.service.url}${BASE}${path}`, options);
  }

  /** All that comes back for these bytes, each read as a character. */
  async raw(bytes: string | Buffer, options?: RawRequestOptions): Promise<string> {
    return (await rawRequest(this.service.port, bytes, options)).toString('latin1');
  }

  /** One request of exactly this head, and its answer. */
  async rawGet(target: string, lines: readonly string[] = []): Promise<string> {
    const head = [`GET ${target} HTTP/1.1`, 'host: larder', ...lines, 'connection: close'];
    return this.raw(Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'));
  }

  /** Everything that the service shows or has written, where no token may be. */
  async shown(): Promise<string> {
    const [entries, metrics, log] = await Promise.all([
      ask(this.service, '/admin/cache/entries?limit=1000', { headers: ADMIN }),
      ask(this.service, '/metrics'),
      everythingLogged(this.service),
    ]);
    // What a client calls itself is a label on purpose: how many of the upstream's requests it causes.
    const counted = metrics.text.split('\n').filter((line) => !line.startsWith('larder_upstream_requests_by_client'));
    return [entries.text, ...counted, log].join('\n');
  }
}

let paths = 0;

/** A path that nobody has asked for. It is not random: what a test must not find could be in it by chance. */
export function newPath(): string {
  return `/path-${(paths += 1)}`;
}

/** The statuses of all answers in what came back, interim ones too. */
export function statusesOf(received: string): number[] {
  return [...received.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
}

export function reflectionOf({ body }: Pick<HttpAnswer, 'body'>): Reflection {
  return JSON.parse(body.toString()) as Reflection;
}
