import { AppError } from '../../kernel/app-error';
import { CONDITIONS } from '../law/conditions';
import { valueOf } from '../law/fields';
import { matchesIfNoneMatch } from '../law/representation';
import type { CacheEntry, HeaderList } from '../model/cache-entry';
import type { HttpCacheRequest, Origin, OriginResponse } from '../model/exchange';
import type { Flight } from './flights';
import type { Seen } from './variants';

/**
 * The whole response, or 304 for the base. A 304 with another tag than the base's belongs to a response that is not stored: it validates
 * nothing (RFC 9111 §4.3.4), and the whole response is requested.
 */
export async function requestOrigin(
  { headers }: HttpCacheRequest,
  base: CacheEntry | undefined,
  { index }: Pick<Seen, 'index'>,
  flight: Pick<Flight, 'signal' | 'isBackground'>,
  origin: Origin,
): Promise<OriginResponse> {
  const plain = {
    method: 'GET',
    headers: withoutConditions(headers),
    signal: flight.signal,
    isBackground: flight.isBackground,
    isNothingStored: index === undefined && base === undefined,
  };
  const conditions = conditionsOf(base);
  if (conditions.length === 0) return origin(plain);
  const response = await origin({ ...plain, headers: [...plain.headers, ...conditions] });
  const [received, known] = [valueOf(response.headers, 'etag'), base?.validators.etag];
  const isOther =
    received !== undefined && known !== undefined && received !== known && !matchesIfNoneMatch(received, known);
  if (response.status !== 304 || !isOther) return response;
  discardBody(response);
  return origin(plain);
}

/** Stops the source of a body that no reader needs. */
export function discardBody({ body }: OriginResponse): void {
  if (!Buffer.isBuffer(body)) body.destroy();
}

export function unexpectedNotModified(): AppError {
  const message = 'The upstream answered 304 to a request without validators.';
  return new AppError('upstream-invalid', message, { retryAfterMs: 1_000 });
}

/** The length that a head declares, in bytes; 0 without one. */
export function declaredLength(headers: HeaderList): number {
  return Number(valueOf(headers, 'content-length') ?? 0);
}

/** Whether a request is conditional on a change of the client's response. */
export function hasConditions(headers: HeaderList): boolean {
  return headers.some(([name]) => CONDITIONS.some((condition) => condition === name));
}

/** A load requests the whole response, regardless of its client's conditions. */
function withoutConditions(headers: HeaderList): HeaderList {
  return headers.filter((field) => field[0] !== 'range' && !hasConditions([field]));
}

export function conditionsOf(base: CacheEntry | undefined): HeaderList {
  const { etag, lastModified } = base?.validators ?? {};
  return [
    ...(etag === undefined ? [] : [['if-none-match', etag] as const]),
    ...(lastModified === undefined ? [] : [['if-modified-since', lastModified] as const]),
  ];
}
