import { Readable } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { CacheEntry, HeaderList } from '../../src/cache/model/cache-entry';
import type { OriginRequest, OriginResponse } from '../../src/cache/model/exchange';
import { valueOf } from '../../src/cache/law/fields';
import { AppError } from '../../src/kernel/app-error';
import { SystemClock } from '../../src/kernel/clock';
import { RACE_KEYS, type RaceKey } from './catalog';
import type { History } from './history';
import type { Random } from './random';

/**
 * The source of truth: a version for each key. A load reads it when it begins and answers it when it ends, so that whatever
 * happens between makes its answer old.
 */
export class VersionedUpstream {
  private readonly versions = new Map(RACE_KEYS.map(({ key }) => [key, 1]));
  private readonly loadsByKey = new Map<string, number>();
  private readonly clock = new SystemClock();
  private isCalm = false;
  private loads = 0;

  constructor(
    private readonly random: Random,
    private readonly history: History,
  ) {}

  versionOf(key: string): number {
    return this.versions.get(key) ?? 0;
  }

  loadsOf(key: string): number {
    return this.loadsByKey.get(key) ?? 0;
  }

  get totalLoads(): number {
    return this.loads;
  }

  /** From now on quick and without failures. */
  calm(): void {
    this.isCalm = true;
  }

  bump(key: string): number {
    const version = this.versionOf(key) + 1;
    this.versions.set(key, version);
    return version;
  }

  /** As a handler of the service: all of the response at once, with a tag that only the response tells. */
  async load({ key, responseTag }: RaceKey, replica: number, { headers }: OriginRequest): Promise<OriginResponse> {
    const requestedAt = this.clock.now();
    const version = await this.read(key, replica, valueOf(headers, 'if-none-match'));
    const times = { requestedAt, receivedAt: this.clock.now() };
    if (version === undefined) return { status: 304, headers: [], ...times, body: Buffer.alloc(0) };
    const etag = `"v${version}"`;
    const body = Buffer.from(String(version));
    return { status: 200, headers: [['etag', etag]], ...times, body, tags: [responseTag] };
  }

  /** The same over HTTP. Some responses vary by one field more than others, so that indexes are rewritten. */
  async respond({ key }: RaceKey, replica: number, { headers }: OriginRequest): Promise<OriginResponse> {
    const requestedAt = this.clock.now();
    const version = await this.read(key, replica, valueOf(headers, 'if-none-match'));
    const body = Readable.from(version === undefined ? [] : [Buffer.from(String(version))]);
    const fields: HeaderList = [
      ['etag', `"v${version}"`],
      ['vary', this.random.chance(0.2) ? 'x-other' : 'x-none'],
    ];
    const receivedAt = this.clock.now();
    if (version === undefined) return { status: 304, headers: [], requestedAt, receivedAt, body };
    return { status: 200, headers: fields, requestedAt, receivedAt, body };
  }

  /** The version as it was when the load began; undefined if it is the validated one. */
  private async read(key: string, replica: number, validated: string | undefined): Promise<number | undefined> {
    const version = this.versionOf(key);
    const number = ++this.loads;
    this.loadsByKey.set(key, this.loadsOf(key) + 1);
    const waitMs = this.delayMs();
    const isFailure = !this.isCalm && this.random.chance(0.02);
    const validating = validated === undefined ? '' : `, validating ${validated}`;
    this.history.add(key, `load ${number} begins on ${replica}, reads v${version}${validating}`);
    if (waitMs > 0) await pause(waitMs);
    if (isFailure) {
      this.history.add(key, `load ${number} fails on ${replica}`);
      throw new AppError('upstream-unreachable', 'The upstream of the race refused.', { retryAfterMs: 20 });
    }
    if (validated === `"v${version}"`) {
      this.history.add(key, `load ${number} ends on ${replica}: 304 for v${version}`);
      return undefined;
    }
    this.history.add(key, `load ${number} ends on ${replica}: v${version}`);
    return version;
  }

  /** Mostly short, sometimes none, sometimes longer than the lease. */
  private delayMs(): number {
    if (this.isCalm) return 5;
    if (this.random.chance(0.03)) return this.random.between(320, 450);
    return this.random.chance(0.1) ? 0 : this.random.between(1, 60);
  }
}

export function versionIn(entry: CacheEntry): number {
  return Number(entry.body.toString());
}
