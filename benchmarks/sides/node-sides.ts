import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeTempFolder, removeTempFolder } from '../../test/support/temp-folder';
import { environmentShape } from '../../src/config/environment-shape';
import { github } from '../../src/github/github.definition';
import { settingNamesOf } from '../../src/upstream';
import { peerScript } from '../harness/folders';
import { startNode } from '../harness/server-process';
import type { Side, Surroundings, TlsFiles } from './side';

/** Whether this version of the service has the setting. */
export function hasSetting(name: string): boolean {
  return name.startsWith('BENCH_') || name in environmentShape || settingNamesOf(github).includes(name);
}

type Variables = Readonly<Record<string, string>>;

export interface NodeSideOptions {
  readonly env?: Variables;
  readonly withRedis?: boolean;
  readonly nodeArgs?: string[];
  readonly cores?: string;
  /** Under which an account's name makes it ask the upstream. */
  readonly accountPath?: string;
}

/** Larder, its own logs, metrics and headers on, with a few settings. */
export function larder(name: string, options: NodeSideOptions = {}): Side {
  const { env = {}, withRedis = true, nodeArgs = [], cores, accountPath = '/repos/' } = options;
  const unknown = Object.keys(env).filter((setting) => !hasSetting(setting));
  return {
    name,
    missing: unknown.length > 0 ? `this version has no setting ${unknown.join(', ')}` : undefined,
    accountPath,
    start: ({ redisUri, upstreamUrl, ttlSeconds }: Surroundings, more: readonly string[] = []) =>
      startNode(
        peerScript('larder-app'),
        {
          ADMIN_TOKEN: 'benchmarks-only',
          HOST: '127.0.0.1',
          GITHUB_API_URL: upstreamUrl,
          CACHE_TTL_SECONDS: String(ttlSeconds),
          ...(withRedis ? { REDIS_ENDPOINT_URI: redisUri } : {}),
          ...env,
        },
        { nodeArgs: [...nodeArgs, ...more], cores },
      ),
  };
}

const tlsVariables = ({ certFile, keyFile }: TlsFiles): Variables => ({
  TLS_CERT_FILE: certFile,
  TLS_KEY_FILE: keyFile,
});

/** The gateway in front of the bare origin, which says nothing of caching: a rule of the operator's does. */
export function larderGateway(name: string, env: Variables = {}, { isTls = false } = {}): Side {
  return {
    name,
    prefix: '/github',
    start: async (around) => {
      const folder = makeTempFolder('rules');
      const rules = join(folder, 'rules.json');
      writeFileSync(rules, JSON.stringify([{ path: '/payload/:bytes', ttl: around.ttlSeconds }]));
      const tls = isTls ? tlsVariables(around.tls) : {};
      const side = larder(name, {
        env: { ...env, ...tls, GITHUB_API_URL: around.originUrl, GITHUB_RULES_FILE: rules },
      });
      const server = await side.start(around);
      return { ...server, stop: () => server.stop().finally(() => removeTempFolder(folder)) };
    },
  };
}

/** Nest's `CacheInterceptor`. */
export function stock(adapter: 'fastify' | 'express', store: 'memory' | 'redis', nodeArgs?: string[]): Side {
  const platform = adapter === 'fastify' ? 'Fastify' : 'Express';
  return {
    name: `stock ${store === 'memory' ? 'in memory' : '@keyv/redis'}, ${platform}`,
    accountPath: '/users/',
    start: ({ redisUri, upstreamUrl, ttlSeconds }: Surroundings) =>
      startNode(
        peerScript('stock-nest'),
        {
          ADAPTER: adapter,
          GITHUB_API_URL: upstreamUrl,
          TTL_MS: String(ttlSeconds * 1_000),
          ...(store === 'redis' ? { REDIS_URL: redisUri } : {}),
        },
        { nodeArgs },
      ),
  };
}

/** Express, `GET` and `SETEX`. */
export const tutorial: Side = {
  name: "tutorial's way, Express",
  accountPath: '/users/',
  start: ({ redisUri, upstreamUrl, ttlSeconds }) =>
    startNode(peerScript('tutorial'), {
      REDIS_URL: redisUri,
      GITHUB_API_URL: upstreamUrl,
      TTL_MS: String(ttlSeconds * 1_000),
    }),
};

/** No cache at all: bytes at hand. */
export const bareHttp: Side = {
  name: 'bare node:http',
  start: () => startNode(peerScript('bare-http'), {}),
};

export const bareHttps: Side = {
  name: 'bare node:https',
  start: ({ tls }) => startNode(peerScript('bare-http'), tlsVariables(tls)),
};
