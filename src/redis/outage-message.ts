import type { RedisEndpoint } from './redis-endpoint';

const REFUSED_LOGIN = /\b(WRONGPASS|NOAUTH|ERR AUTH)\b/;
const REFUSED_COMMAND = /\bNOPERM\b/;

/**
 * A line for the operator: which Redis, its problem, the remedy, and the effect on requests until then.
 *
 * @param problem in the client's or the server's words, which never repeat a password
 */
export function outageMessage(problem: string, endpoint: RedisEndpoint): string {
  const where = `Redis at ${endpoint.nodes.map(({ host, port }) => `${host}:${port}`).join(', ')}`;
  const [, refusal] = REFUSED_LOGIN.exec(problem) ?? [];
  const what =
    refusal === undefined
      ? `${where} is not usable (${problem})`
      : `${where} refused the login (${refusal}): check REDIS_USERNAME and REDIS_PASSWORD`;
  return `${what}. Answers come from memory and the API, invalidations get 503. Trying again.`;
}

/** A line for the operator where an ACL forbids the commands that tracking needs; undefined for any other problem. */
export function refusalMessage(
  problem: string,
  what: 'tracking' | 'channel' | 'live',
  channel: string,
): string | undefined {
  if (!REFUSED_COMMAND.test(problem)) return undefined;
  if (what === 'live')
    return `Redis refuses SUBSCRIBE (${problem}): the live figures are those of one replica alone. Allow the user &${channel}.`;
  return what === 'tracking'
    ? `Redis refuses CLIENT TRACKING (${problem}): no copy in memory is used, each answer asks Redis. Allow the user +client|tracking.`
    : `Redis refuses SUBSCRIBE (${problem}): invalidations published there are not received. Allow the user +subscribe and &${channel}.`;
}
