import { Failure, failureOf } from './failure';

/*
 * Every request of the page. It uses fetch as any other client could; what was sent and received is kept as text, to be shown.
 */

export type Fields = readonly (readonly [name: string, value: string])[];

/**
 * A browser adds `Cache-Control: no-cache` to what bypasses its own cache, and the gateway would obey. A directive that asks for
 * nothing that the gateway does keeps it from doing so (Fetch Standard, HTTP-network-or-cache fetch).
 */
export const UNCHANGED = 'no-transform';

export interface Sent {
  readonly method: string;
  readonly path: string;
  /** Without the admin token: what is shown or copied never has it. */
  readonly headers: Fields;
  readonly body?: string;
}

export interface Exchange {
  readonly sent: Sent;
  readonly at: number;
  readonly status: number;
  readonly headers: Fields;
  readonly text: string;
  readonly bytes: number;
  /** From the call of fetch to the last byte of the body. */
  readonly totalMs: number;
  /** X-Response-Time. */
  readonly serviceMs: number | undefined;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly token?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Sent to its end even if the page is left meanwhile. */
  readonly keepalive?: boolean;
}

/**
 * With `cache: 'no-store'` a browser asks every cache on the way to validate, too (`no-cache`), unless the request says something else:
 * while the API fails, a stored response will do.
 */
const WITHOUT_BROWSER_CACHE = { 'Cache-Control': 'stale-if-error=86400' };

/**
 * Sends one request. Resolves whatever the status is; rejects with a Failure when no whole response arrives, and with an AbortError
 * when the caller has cancelled. `cache: 'no-store'` keeps the browser's own cache out of the way.
 */
export async function exchange(path: string, ask: Ask = {}): Promise<Exchange> {
  const { method = 'GET', headers = {}, token, signal } = ask;
  const body = ask.json === undefined ? undefined : JSON.stringify(ask.json);
  const shown = body === undefined ? headers : { ...headers, 'Content-Type': 'application/json' };
  const at = Date.now();
  const startedAt = performance.now();
  try {
    const response = await fetch(path, {
      method,
      headers: {
        ...WITHOUT_BROWSER_CACHE,
        ...shown,
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      },
      cache: 'no-store',
      credentials: 'same-origin',
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
      ...(ask.keepalive ? { keepalive: true } : {}),
    });
    const content = await response.arrayBuffer();
    const totalMs = performance.now() - startedAt;
    return {
      sent: { method, path, headers: Object.entries(shown), ...(body === undefined ? {} : { body }) },
      ...{ at, status: response.status, headers: [...response.headers], totalMs },
      ...{ text: new TextDecoder().decode(content), bytes: content.byteLength },
      serviceMs: numberOf(response.headers.get('x-response-time')),
    };
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new Failure(
      'The service did not answer',
      'Nothing came back from it: it may be stopped or restarting, or the network is down. Try again in a moment.',
    );
  }
}

/** As `exchange`, for JSON: anything but a 2xx is a Failure in the service's own words. */
export async function requestJson<T>(path: string, ask: Ask = {}): Promise<T> {
  const answer = await exchange(path, ask);
  if (answer.status < 200 || answer.status > 299) throw failureOf(answer);
  return JSON.parse(answer.text) as T;
}

export function field(fields: Fields, name: string): string | undefined {
  const lower = name.toLowerCase();
  return fields.find(([known]) => known.toLowerCase() === lower)?.[1];
}

function numberOf(text: string | null): number | undefined {
  const value = Number(text ?? '');
  return text === null || Number.isNaN(value) ? undefined : value;
}
