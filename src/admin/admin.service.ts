import { Injectable } from '@nestjs/common';
import {
  entryKey,
  ResponseCache,
  tagOfAccount,
  tagsMeant,
  targetsOf,
  type InvalidationMessage,
  type InvalidationMode,
  type InvalidationTarget,
} from '../cache';
import { AppError } from '../kernel/app-error';
import { Clock } from '../kernel/clock';
import type { ListQuery } from './admin.schemas';
import { entryView, type EntryView } from './entry-view';

export interface EntryPage {
  readonly entries: readonly EntryView[];
  readonly cursor?: string;
}

export interface Invalidated {
  readonly invalidated: number;
}

@Injectable()
export class AdminService {
  constructor(
    private readonly cache: ResponseCache,
    private readonly clock: Clock,
  ) {}

  async list({ match, cursor, limit }: ListQuery): Promise<EntryPage> {
    const page = await this.cache.list(match, cursor, limit);
    const now = this.clock.now();
    const entries = page.items.map((item) => entryView(item, now));
    return page.cursor === undefined ? { entries } : { entries, cursor: page.cursor };
  }

  /** The first that is there. */
  async find(keys: readonly string[]): Promise<EntryView | undefined> {
    for (const key of keys) {
      const item = await this.cache.inspect(keyOf(key));
      if (item) return entryView(item, this.clock.now());
    }
    return undefined;
  }

  invalidateKeys(keys: readonly string[]): Promise<Invalidated> {
    return this.invalidate(
      keys.map((key) => ({ kind: 'key', key: keyOf(key) })),
      'purge',
    );
  }

  invalidateTags(tags: readonly string[]): Promise<Invalidated> {
    if (tags.includes('')) throw new AppError('request-invalid', 'Name a tag, such as account:redis.');
    return this.invalidate(
      tags.flatMap(tagsMeant).map((tag) => ({ kind: 'tag' as const, tag })),
      'purge',
    );
  }

  invalidatePrefix(prefix: string): Promise<Invalidated> {
    return this.invalidate([{ kind: 'prefix', prefix }], 'purge');
  }

  invalidateAccount(account: string): Promise<Invalidated> {
    return this.invalidateTags([tagOfAccount(account)]);
  }

  invalidateBatch(message: InvalidationMessage): Promise<Invalidated> {
    return this.invalidate(targetsOf(message), message.mode);
  }

  private async invalidate(targets: readonly InvalidationTarget[], mode: InvalidationMode): Promise<Invalidated> {
    let invalidated = 0;
    for (const target of targets) invalidated += await this.cache.invalidate(target, mode, 'admin');
    return { invalidated };
  }
}

function keyOf(key: string): string {
  if (key === '') throw new AppError('request-invalid', 'Name a key, such as github:-:/users/redis.');
  return entryKey(key);
}
