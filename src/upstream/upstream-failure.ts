import { AppError } from '../kernel/app-error';
import { BodyTooLargeError } from './whole-body';
import type { UpstreamApi } from './upstream-api';
import { settingName } from './upstream-settings';

/** Whether an error says that the upstream is down, and not merely that it has answered no. */
export function countsAsDown(error: unknown): boolean {
  return error instanceof AppError && COUNTS_AS_DOWN.has(error.code);
}

/** A failure of the connection or the upstream, as an `AppError`. */
export function upstreamFailure(error: unknown, { name, baseUrl, limits }: UpstreamApi, isTimedOut: boolean): AppError {
  const host = new URL(baseUrl).host;
  const { code = 'unknown' }: Partial<NodeJS.ErrnoException> = error instanceof Error ? error : {};
  const options = { retryAfterMs: 1_000, cause: error };
  const fault = OWN_FAULTS.get(code);
  if (fault !== undefined) {
    const text = `This service cannot open a connection to ${name}: it has ${fault} (${code}). Raise the limit, or lower MAX_CONNECTIONS.`;
    return new AppError('overloaded', text, options);
  }
  if (isTimedOut || TIMED_OUT.has(code)) {
    const seconds = limits.timeoutMs / 1_000;
    return new AppError('upstream-timeout', `${name} (${host}) did not answer within ${seconds} s.`, options);
  }
  if (error instanceof BodyTooLargeError) {
    const text = `${name} answered more than ${limits.maxResponseBytes} bytes.`;
    return new AppError('upstream-too-large', text, { cause: error });
  }
  if (UNREACHABLE.has(code)) {
    return new AppError(
      'upstream-unreachable',
      `${name} (${host}) cannot be reached (${code}). Check the network and ${settingName({ name }, 'API_URL')}.`,
      options,
    );
  }
  return new AppError(
    'upstream-invalid',
    `The answer of ${name} (${host}) broke off or is not HTTP (${code === 'unknown' && error instanceof Error ? error.message : code}).`,
    options,
  );
}

/** Faults of this process or its machine, which say nothing of the upstream. */
const OWN_FAULTS: ReadonlyMap<string, string> = new Map([
  ['EMFILE', 'as many files and sockets open as a process may have'],
  ['ENFILE', 'as many files and sockets open as the machine allows'],
  ['ENOMEM', 'no memory left'],
  ['ENOBUFS', 'no memory left for sockets'],
  ['EADDRNOTAVAIL', 'no local port left'],
]);
const COUNTS_AS_DOWN: ReadonlySet<string> = new Set([
  'upstream-timeout',
  'upstream-unreachable',
  'upstream-invalid',
  'upstream-error',
]);
const TIMED_OUT: ReadonlySet<string> = new Set(['ETIMEDOUT', 'ECONNABORTED', 'ERR_CANCELED']);
const UNREACHABLE: ReadonlySet<string> = new Set([
  ...['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ECONNRESET', 'EPIPE'],
  ...['EPROTO', 'CERT_HAS_EXPIRED', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN'],
  ...['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'ERR_TLS_CERT_ALTNAME_INVALID'],
]);
