import { ApiProperty, ApiPropertyOptional } from '../server/api-decorators';
import { EXAMPLE_UPSTREAM } from '../server/api-docs';
import type { HeaderList, InvalidationMode } from '../cache';
import type { EntryBody } from './entry-body';

/*
 * The responses of the admin API, as they are sent and as OpenAPI describes them.
 */

/**
 * The kind of an entry, as far as its key and head reveal it (docs/reference/redis-keys.md): a plain entry; a resource's index, or one of
 * its members: a variant, or a projection.
 */
export type EntryKind = 'entry' | 'index' | 'variant' | 'part';

/** An entry as an operator sees it. Times in seconds, sizes in bytes. */
export class EntryDocument {
  @ApiProperty({ example: `${EXAMPLE_UPSTREAM}:-:/users/redis` })
  readonly key!: string;

  @ApiProperty({
    example: 'index',
    enum: ['entry', 'index', 'variant', 'part'],
    description:
      'A plain entry; a resource’s index, or one of its members: a variant, or a projection. ' +
      'Variants and parts that no index leads to any more are listed until the store forgets them.',
  })
  readonly kind!: EntryKind;

  @ApiProperty({ example: EXAMPLE_UPSTREAM })
  readonly upstream!: string;

  @ApiProperty({ example: '-', description: 'The callers who may share it: `-` for callers without a credential.' })
  readonly partition!: string;

  @ApiProperty({ example: 200 })
  readonly status!: number;

  @ApiProperty({ example: 31, description: 'Bytes of the body.' })
  readonly size!: number;

  @ApiProperty({ example: 12, description: 'Seconds since it was loaded or validated.' })
  readonly age!: number;

  @ApiProperty({
    example: 3588,
    description:
      'Seconds of freshness left; negative once stale. In a list that of an index itself: it outlives what it leads to.',
  })
  readonly ttl!: number;

  @ApiProperty({ example: 89988, description: 'Seconds until the store forgets it, stale windows included.' })
  readonly expiresIn!: number;

  @ApiProperty({ example: true, description: 'Whether it is served without asking the upstream.' })
  readonly isFresh!: boolean;

  @ApiProperty({ example: [`upstream:${EXAMPLE_UPSTREAM}`, 'account:redis'], type: [String] })
  readonly tags!: readonly string[];

  @ApiProperty({ example: 'W/"2jmj7l5rSw0yVb_vlWAYkK_YBwk"' })
  readonly etag!: string;

  @ApiProperty({ example: '2026-11-23T12:00:00.000Z' })
  readonly storedAt!: string;

  @ApiPropertyOptional({
    enum: [true],
    description: 'It is soft-purged: only validated, or served when the upstream fails.',
  })
  readonly softPurged?: true;

  @ApiPropertyOptional({
    example: true,
    description: 'For a variant or a projection: its index is gone or does not name it, so that a request gets a miss.',
  })
  readonly unreachable?: true;

  @ApiPropertyOptional({
    type: [String],
    example: [`${EXAMPLE_UPSTREAM}:-:/users/redis|4Gz0lNQx|repos`],
    description: 'For a resource: the keys of its stored responses. The other members describe the first of them.',
  })
  readonly members?: readonly string[];
}

export class EntryPageDocument {
  @ApiProperty({ type: [EntryDocument] })
  readonly entries!: readonly EntryDocument[];

  @ApiPropertyOptional({
    example: '0-17',
    description: 'For the next page; absent on the last. A page with a cursor may be short or empty: go on.',
  })
  readonly cursor?: string;

  @ApiProperty({ example: 100, description: 'How many entries were looked at.' })
  readonly scanned!: number;

  @ApiProperty({ example: 'page', enum: ['page'], description: 'Each page is sorted by itself.' })
  readonly sortedWithin!: 'page';
}

export class InvalidatedDocument {
  @ApiProperty({ example: 1, description: 'How many entries went, or became stale.' })
  readonly invalidated!: number;
}

export class EntryDetailsDocument extends EntryDocument {
  @ApiProperty({
    type: 'array',
    items: { type: 'array', items: { type: 'string' } },
    example: [['content-type', 'application/json; charset=utf-8']],
    description: 'The header fields that are stored, names and values.',
  })
  readonly headers!: HeaderList;

  @ApiPropertyOptional({ type: [EntryDocument], description: 'For a resource: its stored responses.' })
  readonly variants?: readonly EntryDocument[];

  @ApiProperty({
    example: `${EXAMPLE_UPSTREAM} answered 200, and a rule of this service keeps it fresh for 3600 s; then it is validated.`,
  })
  readonly why!: string;

  @ApiProperty({ example: '2026-11-24T13:00:00.000Z', description: 'When the store forgets it.' })
  readonly endsAt!: string;

  @ApiPropertyOptional({
    type: 'object',
    properties: {
      text: { type: 'string' },
      base64: { type: 'string', description: 'Where it is no text.' },
      bytes: { type: 'integer', description: 'Of the whole body.' },
      truncated: { type: 'boolean' },
    },
    description: 'With `body=true`: at most 256 KiB of it, without its coding.',
  })
  readonly body?: EntryBody;
}

export class EntryCountDocument {
  @ApiProperty({ example: 3 })
  readonly count!: number;

  @ApiProperty({ example: true, description: 'False: there are at least so many, and no more were looked at.' })
  readonly isExact!: boolean;
}

/** An invalidation by an admin, or an attempt. Never a token. */
export class AuditEntryDocument {
  @ApiProperty({ example: '2026-11-23T12:00:00.000Z' })
  readonly at!: string;

  @ApiProperty({ example: 'host-1:4711' })
  readonly replica!: string;

  @ApiProperty({ example: 'invalidate', enum: ['invalidate'] })
  readonly action!: 'invalidate';

  @ApiProperty({ example: 'tag account:redis' })
  readonly target!: string;

  @ApiProperty({ example: 'purge', enum: ['purge', 'stale'] })
  readonly mode!: InvalidationMode;

  @ApiProperty({ example: 3 })
  readonly count!: number;

  @ApiProperty({ example: 'done', enum: ['done', 'failed'] })
  readonly outcome!: 'done' | 'failed';

  @ApiProperty({ example: '203.0.113.7', description: 'The address that the request came from.' })
  readonly by!: string;

  @ApiPropertyOptional({ example: 'deploy', description: 'The name of the admin token: `admin` for `ADMIN_TOKEN`.' })
  readonly token?: string;

  @ApiProperty({ example: 'trace-1' })
  readonly requestId!: string;
}

export class AuditDocument {
  @ApiProperty({ type: [AuditEntryDocument] })
  readonly items!: readonly AuditEntryDocument[];
}
