import type { Exchange } from './http';

/** What went wrong, in words, with what to do about it. */
export class Failure extends Error {
  constructor(
    readonly title: string,
    readonly detail: string,
    readonly status?: number,
    readonly code?: string,
    readonly retryAfterSeconds?: number,
    readonly requestId?: string,
  ) {
    super(`${title}: ${detail}`);
  }
}

/** The failure in a response other than 2xx: the service's problem+json, an API's own error, or only a status. */
export function failureOf({ status, headers, text }: Pick<Exchange, 'status' | 'headers' | 'text'>): Failure {
  const body = parseObject(text);
  const valueOf = (name: string) => headers.find(([known]) => known === name)?.[1];
  const retryAfter = Number(valueOf('retry-after') ?? Number.NaN);
  const title = textOf(body['title']) ?? textOf(body['message']) ?? `The answer was a ${status}`;
  const detail = textOf(body['detail']) ?? adviceFor(status);
  return new Failure(
    title,
    detail,
    status,
    textOf(body['code']),
    Number.isNaN(retryAfter) ? undefined : retryAfter,
    valueOf('x-request-id'),
  );
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}

/** Any error as a Failure; a bug in the page says so. */
export function toFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new Failure('The page could not read the answer', `${message}. Reload the page; if it stays, report it.`);
}

function adviceFor(status: number): string {
  if (status === 404) return 'There is nothing at this path. Check its spelling.';
  if (status === 401 || status === 403) return 'The API wants a credential, or a better one, for this path.';
  if (status === 429) return 'Too many requests. Wait a moment, then try again.';
  if (status >= 500) return 'The API or the service failed. Try again in a moment.';
  return 'The request was not accepted as it is.';
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {}; // not JSON: an error page of something between
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
