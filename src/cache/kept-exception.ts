import { HttpException } from '@nestjs/common';
import type { CacheEntry, HeaderList } from './core/cache-entry';
import type { KeptProblem } from './response-cache.options';

/*
 * Exceptions of Nest's that a rule has kept (`negativeTtlMs`): they are thrown anew for each request, so that the application's
 * exception filters make the answer.
 */

/** Marks their entries. Never sent: no such entry goes to a client. */
const MARK = 'larder-http-exception';

export const exceptionHeaders: HeaderList = [[MARK, '1']];

export function isNotFound(error: unknown): error is HttpException {
  return error instanceof HttpException && (error.getStatus() === 404 || error.getStatus() === 410);
}

export function problemOfException(error: HttpException): KeptProblem {
  return { status: error.getStatus(), body: Buffer.from(JSON.stringify(error.getResponse())) };
}

/** The exception that was kept in the entry's place. */
export function exceptionIn({ status, headers, body }: CacheEntry): HttpException | undefined {
  if (status < 400 || !headers.some(([name]) => name === MARK)) return undefined;
  return new HttpException(JSON.parse(body.toString()) as string | Record<string, unknown>, status);
}
