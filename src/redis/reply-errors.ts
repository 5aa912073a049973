import { isErrorReply } from './redis-package';
import { RedisUnavailableError } from './redis-unavailable.error';

/** Error replies that say "not now" and not "wrong command" (https://redis.io/docs/latest/develop/reference/protocol-spec/). */
const NOT_NOW =
  /^(OOM|READONLY|LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MISCONF|NOAUTH|NOPERM|WRONGPASS|NOREPLICAS|MOVED|ASK|UNKILLABLE|ERR max number of clients)\b/;

/** Any reason for which Redis cannot run a command becomes a `RedisUnavailableError`; a wrong command keeps its error. */
export function asUnavailable(error: unknown): Error {
  if (error instanceof RedisUnavailableError) return error;
  if (isErrorReply(error) && !NOT_NOW.test(error.message)) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new RedisUnavailableError(reason, { cause: error });
}
