import type { InvalidationTarget } from '../../src/cache/store/cache-store';

/** How a key is read: as a route's own entry; through the gateway, in one of its variants; as a projection of a resource. */
export type Reading = 'route' | 'projection' | 'gateway-a' | 'gateway-b' | 'gateway-c';

/** The name of every projection. */
export const PROJECTION = 'count';

export function readingsOf({ kind }: RaceKey): readonly Reading[] {
  return kind === 'entry' ? ['route'] : ['gateway-a', 'gateway-b', 'gateway-c', 'projection'];
}

/** A key of the race and everything that an invalidation can name it by. */
export interface RaceKey {
  readonly key: string;
  /** Told by the request, so known before the load. */
  readonly requestTag: string;
  /** Told by the response alone. */
  readonly responseTag: string;
  readonly prefix: string;
  /** An entry by itself, or a resource with variants and a projection. */
  readonly kind: 'entry' | 'resource';
}

/** Twelve keys, half of them resources: three prefixes, four request tags across them, six response tags across both. */
export const RACE_KEYS: readonly RaceKey[] = Array.from({ length: 12 }, (_, i) => {
  const prefix = `race:${'abc'.charAt(i % 3)}:`;
  return {
    key: `${prefix}${i}`,
    requestTag: `asked:${i % 4}`,
    responseTag: `told:${i % 6}`,
    prefix,
    kind: i % 4 < 2 ? 'entry' : 'resource',
  };
});

export function targetsOf({ key, requestTag, responseTag, prefix }: RaceKey): InvalidationTarget[] {
  return [
    { kind: 'key', key },
    { kind: 'tag', tag: requestTag },
    { kind: 'tag', tag: responseTag },
    { kind: 'prefix', prefix },
  ];
}

export function keysUnder(target: InvalidationTarget): RaceKey[] {
  return RACE_KEYS.filter(({ key, requestTag, responseTag }) => {
    if (target.kind === 'key') return key === target.key;
    if (target.kind === 'tag') return requestTag === target.tag || responseTag === target.tag;
    return key.startsWith(target.prefix);
  });
}

export function nameOf(target: InvalidationTarget): string {
  if (target.kind === 'key') return `key ${target.key}`;
  return target.kind === 'tag' ? `tag ${target.tag}` : `prefix ${target.prefix}`;
}
