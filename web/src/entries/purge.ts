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

/** Everything has a route of its own, so that no message can mean it by mistake. */
export function purgeTarget({ kind, name }: Target, mode: PurgeMode): Promise<{ invalidated: number } | undefined> {
  const purpose = 'Purging';
  if (kind === 'all') return adminRequest(`/admin/cache?all=true&mode=${mode}`, purpose, { method: 'DELETE' });
  const json = { [MEMBERS[kind]]: [name], mode };
  return adminRequest('/admin/cache/invalidations', purpose, { method: 'POST', json });
}

const MEMBERS = { key: 'keys', tag: 'tags', account: 'accounts', prefix: 'prefixes' } as const;
