/** A Redis node's address. */
export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

/** Where Redis is and how it is deployed, as `REDIS_ENDPOINT_URI` says. */
export interface RedisEndpoint {
  readonly mode: 'single' | 'sentinel' | 'cluster';
  readonly nodes: readonly NodeAddress[];
  /** The name that Sentinel knows the primary by. */
  readonly sentinelName?: string;
  readonly isTls: boolean;
  readonly username?: string;
  readonly password?: string;
  readonly database: number;
}

const SCHEMES: Readonly<Record<string, Pick<RedisEndpoint, 'mode' | 'isTls'>>> = {
  redis: { mode: 'single', isTls: false },
  rediss: { mode: 'single', isTls: true },
  'redis+sentinel': { mode: 'sentinel', isTls: false },
  'rediss+sentinel': { mode: 'sentinel', isTls: true },
  'redis+cluster': { mode: 'cluster', isTls: false },
  'rediss+cluster': { mode: 'cluster', isTls: true },
};

const FORMS =
  'use host:port, redis://host:6379, rediss://host:6380, redis+sentinel://s1:26379,s2:26379/mymaster or redis+cluster://h1:6379,h2:6379';

const ENCODE = 'percent-encode it there, or set REDIS_USERNAME and REDIS_PASSWORD, which are taken as they are';

/**
 * Reads `REDIS_ENDPOINT_URI`. Credentials in the URI count, those of `REDIS_USERNAME` and `REDIS_PASSWORD` win.
 *
 * @throws Error whose message says what is wrong and which forms there are, and never repeats a password
 */
export function parseRedisEndpoint(uri: string): RedisEndpoint {
  const match = /^(?:([a-z+]+):\/\/)?(?:([^@/]*)@)?([^/?#]*)(?:\/([^?#]*))?$/i.exec(uri.trim());
  if (!match) throw new Error(`is not a Redis address; ${FORMS}`);
  const [, scheme = 'redis', userInfo, hosts = '', path = ''] = match;
  const form = SCHEMES[scheme.toLowerCase()];
  if (!form) throw new Error(`has the unknown scheme "${scheme}"; ${FORMS}`);
  const defaultPort = form.mode === 'sentinel' ? 26379 : 6379;
  if (`${hosts}${path}`.includes('@')) throw new Error(`has a / or @ in its user name or password; ${ENCODE}`);
  const nodes = hosts.split(',').map((host) => parseNode(host, defaultPort));
  if (form.mode === 'single' && nodes.length > 1) throw new Error(`names ${nodes.length} hosts; ${FORMS}`);
  const credentials = parseUserInfo(userInfo);
  if (form.mode === 'sentinel') {
    if (path === '') throw new Error(`does not name the primary after the sentinels; ${FORMS}`);
    return { ...form, nodes, sentinelName: decode(path), database: 0, ...credentials };
  }
  return { ...form, nodes, database: parseDatabase(path, form.mode), ...credentials };
}

function parseNode(text: string, defaultPort: number): NodeAddress {
  const match = /^(\[[0-9a-f:]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?$/i.exec(text.trim());
  const port = Number(match?.[2] ?? defaultPort);
  if (!match?.[1] || port < 1 || port > 65535) throw new Error(`names the host "${text}", which is none; ${FORMS}`);
  return { host: match[1].replace(/^\[|\]$/g, ''), port };
}

function parseDatabase(path: string, mode: RedisEndpoint['mode']): number {
  if (path === '') return 0;
  if (!/^\d{1,4}$/.test(path))
    throw new Error(`names the database "${path}", which is no number; write redis://host:6379/0`);
  if (mode === 'cluster' && path !== '0') throw new Error('names a database, but a Redis Cluster has only number 0');
  return Number(path);
}

function parseUserInfo(userInfo: string | undefined): Pick<RedisEndpoint, 'username' | 'password'> {
  if (userInfo === undefined || userInfo === '') return {};
  const at = userInfo.indexOf(':');
  const username = decode(at < 0 ? userInfo : userInfo.slice(0, at));
  const password = at < 0 ? undefined : decode(userInfo.slice(at + 1));
  return { ...(username === '' ? {} : { username }), ...(password === undefined ? {} : { password }) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error(`has a % that begins no percent-encoded character; ${ENCODE}`);
  }
}
