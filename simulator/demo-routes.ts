import * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { AppError } from '../src/kernel/app-error';
import type { GithubSimulator } from './github-simulator';

const MAX_RACERS = 500;
const MAX_LATENCY_MS = 60_000;

const upstreamChange = z.strictObject({
  isDown: z.boolean().optional(),
  latencyMs: z.number().int().min(0).max(MAX_LATENCY_MS).optional(),
});
const race = z.strictObject({
  path: z.string().regex(/^\/[\x21-\x7e]{0,500}$/, 'must be a path of the service, such as /repos/redis'),
  requests: z.number().int().min(1).max(MAX_RACERS).default(200),
});

/** One request of a race; times from the first send on, in milliseconds. */
export interface Racer {
  readonly startedMs: number;
  readonly endedMs: number;
  readonly status: number;
  readonly cacheStatus: string;
  readonly requestId: string;
}

/** The demo's routes by what they do, as `/page.json` names them. */
export const DEMO_ROUTES = { control: '/demo/upstream', race: '/demo/race' } as const;

/**
 * What the page at a demo changes and watches, beside the service's own routes: the simulated API goes away, comes back or is slow; many
 * requests at once, which no browser sends (it opens six connections to a host).
 *
 * @param server the service's own server, which listens by the time of a race
 */
export function addDemoRoutes(
  fastify: FastifyInstance,
  simulator: GithubSimulator,
  server: http.Server | https.Server,
): void {
  const upstream = new DemoUpstream(simulator);
  fastify.get(DEMO_ROUTES.control, (_request, reply) => reply.header('cache-control', 'no-store').send(upstream.state));
  fastify.put(DEMO_ROUTES.control, async ({ body }, reply) => {
    return reply.send(await upstream.change(parse(upstreamChange, body)));
  });
  fastify.post(DEMO_ROUTES.race, async ({ body }, reply) => {
    const { path, requests } = parse(race, body);
    return reply.send({ requests: await run(server, path, requests) });
  });
}

function parse<T extends z.ZodType>(schema: T, body: unknown): z.infer<T> {
  const { data, error } = schema.safeParse(body);
  if (error) throw new AppError('request-invalid', z.prettifyError(error));
  return data;
}

/** The simulated API: its changes come one after the other. */
class DemoUpstream {
  private isDown = false;
  private changes: Promise<void> = Promise.resolve();

  constructor(private readonly simulator: GithubSimulator) {}

  get state(): { readonly isDown: boolean; readonly latencyMs: number } {
    const { latencyMs } = this.simulator;
    return { isDown: this.isDown, latencyMs: typeof latencyMs === 'number' ? latencyMs : latencyMs[1] };
  }

  async change({ isDown, latencyMs }: z.infer<typeof upstreamChange>): Promise<DemoUpstream['state']> {
    if (latencyMs !== undefined) this.simulator.latencyMs = latencyMs;
    if (isDown !== undefined) {
      this.changes = this.changes.then(() => this.turn(isDown));
      await this.changes;
    }
    return this.state;
  }

  private async turn(isDown: boolean): Promise<void> {
    if (isDown === this.isDown) return;
    await (isDown ? this.simulator.stop() : this.simulator.restart());
    this.isDown = isDown;
  }
}

/**
 * Sends all at once, each on a connection of its own. All connections are open before the first request is sent: the handshakes of
 * 200 TLS connections take longer than the one call that the requests are to share.
 */
async function run(server: http.Server | https.Server, path: string, requests: number): Promise<Racer[]> {
  const { address, port } = server.address() as AddressInfo;
  const host = ANY_ADDRESS.has(address) ? '127.0.0.1' : address;
  const open = server instanceof https.Server ? openTls : openPlain;
  const entered = await Promise.all(Array.from({ length: requests }, () => connect(open({ host, port, path }))));
  const start = performance.now();
  const since = (): number => Math.round((performance.now() - start) * 100) / 100;
  return Promise.all(entered.map((request) => send(request, since)));
}

const ANY_ADDRESS: ReadonlySet<string> = new Set(['::', '0.0.0.0']);

function openPlain(target: http.RequestOptions): http.ClientRequest {
  return http.request({ ...target, agent: false });
}

/** The service connects to itself, so there is no one whose name a certificate could prove; the operator's may be for any host. */
function openTls(target: http.RequestOptions): http.ClientRequest {
  return https.request({ ...target, agent: false, rejectUnauthorized: false });
}

/** Resolves once the request's connection is ready to send on, or has failed. */
function connect(request: http.ClientRequest): Promise<http.ClientRequest> {
  return new Promise((resolve) => {
    const done = (): void => resolve(request);
    request.once('error', done);
    request.once('socket', (socket) => socket.once('encrypted' in socket ? 'secureConnect' : 'connect', done));
  });
}

function send(request: http.ClientRequest, since: () => number): Promise<Racer> {
  return new Promise((resolve) => {
    const startedMs = since();
    const end = (status: number, headers: http.IncomingHttpHeaders): void =>
      resolve({
        ...{ startedMs, endedMs: since(), status },
        cacheStatus: [headers['cache-status'] ?? ''].flat().join(', '),
        requestId: [headers['x-request-id'] ?? ''].flat().join(),
      });
    if (request.errored) {
      end(0, {});
      return;
    }
    request
      .once('response', (response) => {
        response.resume();
        response.on('close', () => end(response.statusCode ?? 0, response.headers));
      })
      .on('error', () => end(0, {}))
      .end();
  });
}
