import { cacheStatusOf, isFromStore, type HeaderList, type HttpAnswer, type StoredAnswer } from '../../cache';
import { ageMs, valueOf } from '../../cache/law';
import type { FlatFields, Presentation } from '../../cache/fast-path';

/** The fields that the gateway adds to an upstream's, and the fields that it removes. */

/** RFC 9110 §15.4.5: the fields of the stored response that a 304 repeats. */
const IN_NOT_MODIFIED: ReadonlySet<string> = new Set([
  ...['cache-control', 'cdn-cache-control', 'content-location', 'date', 'etag', 'expires', 'last-modified', 'vary'],
  'via',
]);

export function notModifiedFields(headers: HeaderList): HeaderList {
  return headers.filter(([name]) => IN_NOT_MODIFIED.has(name));
}

/** `Age` of a stored response, `Cache-Status` and `X-Cache`. */
export function fieldsOfCache(answer: HttpAnswer, key: string, now: number): FlatFields {
  const age = answer.kind === 'stored' ? ['age', String(Math.floor(ageMs(answer.entry, now) / 1_000))] : [];
  const status = ['cache-status', cacheStatusOf(answer, key, now)];
  return [...age, ...status, 'x-cache', isFromStore(answer.outcome) ? 'HIT' : 'MISS'];
}

/** Lists that the edge extends: the cache's fields are exposed in addition to the upstream's, and CORS may vary, too. */
const ADDED_TO: ReadonlySet<string> = new Set(['access-control-expose-headers', 'vary']);

/** The fields without the upstream's own word on which pages may read them: it knows nothing of the token that they came with. */
export function withoutCors(headers: HeaderList): HeaderList {
  return headers.filter(([name]) => !name.startsWith('access-control-') && name !== 'timing-allow-origin');
}

/** The edge's fields, without those that the upstream has set itself. */
export function missingEdgeFields(headers: HeaderList, edge: FlatFields): FlatFields {
  const fields: string[] = [];
  for (let at = 0; at < edge.length; at += 2) {
    const name = edge[at] ?? '';
    if (ADDED_TO.has(name) || valueOf(headers, name) === undefined) fields.push(name, edge[at + 1] ?? '');
  }
  return fields;
}

/** How the gateway of the strict profile shows what is stored, and any gateway what has just come. */
export const PRESENTATION: Presentation<StoredAnswer> = {
  cacheFields: fieldsOfCache,
  edgeFields: (edge, stored) => missingEdgeFields(stored, edge),
  notModifiedFields,
};

/** The rate limits as the budget knows them. */
export interface LimitsNow {
  /** Fields that are not sent as they were stored, in lower case. */
  readonly names: ReadonlySet<string>;
  /** The fields of the limit that a request for a stored response would count against. */
  readonly fieldsOf: (key: string, path: string) => Readonly<Record<string, string>>;
}

/** As `PRESENTATION`, with the current rate limits, and `X-From-Cache` for a stored response. */
export function limitsNow(limits: LimitsNow): Presentation<StoredAnswer> {
  const cacheFields: Presentation<StoredAnswer>['cacheFields'] = (answer, key, now, path) => {
    const fields = [...fieldsOfCache(answer, key, now)];
    if (isFromStore(answer.outcome)) fields.push('x-from-cache', '1');
    for (const [field, value] of Object.entries(limits.fieldsOf(key, path))) fields.push(field, value);
    return fields;
  };
  return { ...PRESENTATION, cacheFields };
}
