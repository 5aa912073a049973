import { createHash } from 'node:crypto';
import { tagOfUpstream } from '../../model/cache-key';
import type { InvalidationTarget } from '../cache-store';
import { newToken } from '../../model/random-id';
import type { KeyValueBackend } from './key-value-backend';

/*
 * Purges in a store that can neither compare nor list: random words, one for each group of keys and of tags. An entry is stored with
 * the words that were there before its load, and counts only as long as they are still there:
 *
 *   1. replica A reads the words of a key and its tags, then loads
 *   2. replica B purges one of the tags: it writes another word
 *   3. A stores its response with the words of 1: no replica uses it, because the words differ now
 *
 * Its one invariant: a word that is missing (evicted, never written) is another one. Groups are many and few enough at once: a purge of one
 * key removes one entry in 65,536 beside it, and there are never more words than groups.
 */

/** The words that an entry counts under, by the names of their groups. */
export type Stamp = Readonly<Record<string, string>>;

const GROUPS = 65_536;
const ALL = 'all';
/** Changes with each purge of any tag: for tags that only a response names. */
export const ANY_TAG = 'tags';

export class PurgeWords {
  private readonly making = new Map<string, Promise<string>>();

  constructor(
    private readonly backend: KeyValueBackend,
    private readonly prefix: string,
  ) {}

  /** The words that are there now, written where there are none. */
  async read(names: readonly string[]): Promise<Stamp> {
    const words = await Promise.all(names.map(async (name) => [name, await this.wordOf(name)] as const));
    return Object.fromEntries(words);
  }

  async areCurrent(stamp: Stamp): Promise<boolean> {
    const names = Object.keys(stamp);
    const words = await Promise.all(names.map((name) => this.backend.get(`${this.prefix}${name}`)));
    return names.every((name, at) => stamp[name] === words[at]);
  }

  async change(targets: readonly InvalidationTarget[]): Promise<void> {
    const names = new Set(targets.flatMap(groupsOf));
    await Promise.all([...names].map((name) => this.backend.set(`${this.prefix}${name}`, newToken(), undefined)));
  }

  private async wordOf(name: string): Promise<string> {
    const word = await this.backend.get(`${this.prefix}${name}`);
    return typeof word === 'string' ? word : this.firstWord(name);
  }

  /** One for all loads of this process that miss it at once. If two replicas write one, the last one counts. */
  private firstWord(name: string): Promise<string> {
    const known = this.making.get(name);
    if (known) return known;
    const made = this.makeWord(name).finally(() => this.making.delete(name));
    this.making.set(name, made);
    return made;
  }

  private async makeWord(name: string): Promise<string> {
    const word = newToken();
    await this.backend.set(`${this.prefix}${name}`, word, undefined);
    const there = await this.backend.get(`${this.prefix}${name}`);
    return typeof there === 'string' ? there : word;
  }
}

/** The groups that an entry of the key belongs to. */
export function groupsFor(key: string, tags: readonly string[]): readonly string[] {
  const [upstream = ''] = key.split(':', 1);
  return [...new Set([ALL, groupOf('k', key), ...[tagOfUpstream(upstream), ...tags].map((tag) => groupOf('t', tag))])];
}

/** A prefix is not to be found in a store that cannot list: it covers everything. */
function groupsOf(target: InvalidationTarget): readonly string[] {
  if (target.kind === 'key') return [groupOf('k', target.key)];
  return target.kind === 'tag' ? [groupOf('t', target.tag), ANY_TAG] : [ALL];
}

function groupOf(kind: 'k' | 't', name: string): string {
  return `${kind}${createHash('sha256').update(name).digest().readUInt32BE(0) % GROUPS}`;
}
