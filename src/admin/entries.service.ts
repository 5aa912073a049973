import { Injectable } from '@nestjs/common';
import { CacheInvalidator, StoredEntries, targetsOf, type EntryCount, type ListedEntry } from '../cache';
import { AppError } from '../kernel/app-error';
import { Clock } from '../kernel/clock';
import type { CountQuery, ListQuery } from './admin.schemas';
import { readBody, type EntryBody } from './entry-body';
import { matchesFilter, sorted } from './entry-filter';
import { keyOf } from './named-keys';
import type { EntryDetailsDocument, EntryDocument, EntryPageDocument } from './entry.documents';
import { entryView } from './entry-view';
import { whyStored } from './why-stored';

/** How many entries one page examines, regardless of a filter's matches: two Redis commands each, and one for each resource. */
const MAX_LOOKED_AT = 2_000;

/** Inspects entries: reads a body only on request, and bounds the work of each request. */
@Injectable()
export class EntriesService {
  constructor(
    private readonly entries: StoredEntries,
    private readonly invalidator: CacheInvalidator,
    private readonly clock: Clock,
  ) {}

  async list({ match, tag, limit, sort, order, ...query }: ListQuery): Promise<EntryPageDocument> {
    const now = this.clock.now();
    const { partition } = query;
    const glob = match === '*' && partition !== undefined ? `*:${partition}:*` : match;
    const entries: EntryDocument[] = [];
    let { cursor } = query;
    let scanned = 0;
    do {
      const page = await this.entries.list(glob, cursor, limit, tag);
      const views = page.items.map((item) => entryView(item, now));
      entries.push(...views.filter((view) => matchesFilter(view, query)));
      scanned += page.items.length;
      ({ cursor } = page);
      // A page without matches may be one of many that the glob excludes: as much work as a full one.
      if (page.items.length === 0) break;
    } while (cursor !== undefined && entries.length < limit && scanned < MAX_LOOKED_AT);
    const page = { entries: sort ? sorted(entries, sort, order) : entries, scanned, sortedWithin: 'page' as const };
    return cursor === undefined ? page : { ...page, cursor };
  }

  /** The first of the keys that has an entry. */
  async find(keys: readonly string[], withBody: boolean): Promise<EntryDetailsDocument | undefined> {
    for (const key of keys) {
      const item = await this.entries.inspect(keyOf(key));
      if (item) return this.detailsOf(item, withBody);
    }
    return undefined;
  }

  /** The number of entries that an invalidation of the same name would cover. */
  async count({ key, tag, account, prefix, all }: CountQuery): Promise<EntryCount> {
    const list = (name: string | undefined): string[] => (name === undefined ? [] : [name]);
    const prefixes = all === undefined ? list(prefix) : [''];
    const named = { keys: list(key), tags: list(tag), accounts: list(account), prefixes, mode: 'purge' } as const;
    const targets = this.invalidator.withSynonyms(targetsOf(named));
    const counts = await Promise.all(targets.map((target) => this.entries.count(target)));
    return {
      count: counts.reduce((sum, { count }) => sum + count, 0),
      isExact: counts.every(({ isExact }) => isExact),
    };
  }

  private async detailsOf(item: ListedEntry, withBody: boolean): Promise<EntryDetailsDocument> {
    const now = this.clock.now();
    const { members } = item;
    const listed = await Promise.all((members ?? []).map((key) => this.entries.inspect(key)));
    const variants = listed.flatMap((one) => (one ? [entryView(one, now)] : []));
    return Object.assign(entryView(item, now), {
      headers: item.metadata.headers,
      ...(members === undefined ? {} : { variants }),
      why: whyStored(item.metadata),
      endsAt: new Date(now + item.expiresInMs).toISOString(),
      ...(withBody ? { body: await this.bodyOf(members?.[0] ?? item.key) } : {}),
    });
  }

  private async bodyOf(key: string): Promise<EntryBody> {
    const found = await this.entries.find(key);
    if (!found) throw new AppError('entry-not-found', `The body of "${key}" has just been removed. Look again.`);
    return readBody(found.entry);
  }
}
