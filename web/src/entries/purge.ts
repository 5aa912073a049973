import { adminRequest } from '../api/admin';

/** What is to be invalidated, and how. */
export type TargetKind = 'key' | 'tag' | 'account' | 'prefix' | 'all';
export type PurgeMode = 'purge' | 'stale';

export interface Target {
  readonly kind: TargetKind;
  /** Empty for all. */
  readonly name: string;
}

export interface Counted {
  readonly count: number;
  readonly isExact: boolean;
}

export function targetWords({ kind, name }: Target): string {
  if (kind === 'all') return 'everything';
  if (kind === 'key') return `the key ${name}`;
  if (kind === 'prefix') return `every key that begins with ${name}`;
  return kind === 'tag' ? `everything with the tag ${name}` : `everything of the account ${name}`;
}

export function countTarget({ kind, name }: Target, signal: AbortSignal): Promise<Counted | undefined> {
  const query = new URLSearchParams({ [kind]: kind === 'all' ? 'true' : name }).toString();
  return adminRequest<Counted>(`/admin/cache/count?${query}`, 'Counting entries', { signal });
}

export function purgeTarget(target: Target, mode: PurgeMode): Promise<{ invalidated: number } | undefined> {
  return adminRequest<{ invalidated: number }>(pathOf(target, mode), 'Purging', { method: 'DELETE' });
}

function pathOf({ kind, name }: Target, mode: PurgeMode): string {
  const soft = mode === 'stale' ? 'mode=stale' : '';
  const encoded = encodeURIComponent(name);
  if (kind === 'all') return `/admin/cache?${['all=true', soft].filter(Boolean).join('&')}`;
  if (kind === 'prefix') return `/admin/cache?${[`prefix=${encoded}`, soft].filter(Boolean).join('&')}`;
  const collection = { key: 'entries', tag: 'tags', account: 'accounts' }[kind];
  return `/admin/cache/${collection}/${encoded}${soft === '' ? '' : `?${soft}`}`;
}
