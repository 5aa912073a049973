import { ApiProperty, ApiPropertyOptional } from '../server/api-decorators';
import { EXAMPLE_UPSTREAM } from '../server/api-docs';

/** The shapes of the admin API, for OpenAPI only. */
export class EntryDocument {
  @ApiProperty({ example: `${EXAMPLE_UPSTREAM}:-:/users/redis` })
  key!: string;

  @ApiProperty({
    example: 'index',
    enum: ['entry', 'index', 'variant', 'part'],
    description:
      'A plain entry; a resource’s index, or one of its members: a variant, or a projection. ' +
      'Variants and parts that no index leads to any more are listed until the store forgets them.',
  })
  kind!: string;

  @ApiProperty({ example: EXAMPLE_UPSTREAM })
  upstream!: string;

  @ApiProperty({ example: '-', description: 'The callers who may share it: `-` for callers without a credential.' })
  partition!: string;

  @ApiProperty({ example: 200 })
  status!: number;

  @ApiProperty({ example: 31, description: 'Bytes of the body.' })
  size!: number;

  @ApiProperty({ example: 12, description: 'Seconds since it was loaded or validated.' })
  age!: number;

  @ApiProperty({
    example: 3588,
    description:
      'Seconds of freshness left; negative once stale. In a list that of an index itself: it outlives what it leads to.',
  })
  ttl!: number;

  @ApiProperty({ example: 89988, description: 'Seconds until the store forgets it, stale windows included.' })
  expiresIn!: number;

  @ApiProperty({ example: true, description: 'Whether it is served without asking the upstream.' })
  isFresh!: boolean;

  @ApiProperty({ example: [`upstream:${EXAMPLE_UPSTREAM}`, 'account:redis'], type: [String] })
  tags!: string[];

  @ApiProperty({ example: 'W/"2jmj7l5rSw0yVb_vlWAYkK_YBwk"' })
  etag!: string;

  @ApiProperty({ example: '2026-11-23T12:00:00.000Z' })
  storedAt!: string;

  @ApiPropertyOptional({
    enum: [true],
    description: 'It is soft-purged: only validated, or served when the upstream fails.',
  })
  softPurged?: true;

  @ApiPropertyOptional({
    example: true,
    description: 'For a variant or a projection: its index is gone or does not name it, so that a request gets a miss.',
  })
  unreachable?: boolean;

  @ApiPropertyOptional({
    type: [String],
    example: [`${EXAMPLE_UPSTREAM}:-:/users/redis|4Gz0lNQx|repos`],
    description: 'For a resource: the keys of its stored responses. The other members describe the first of them.',
  })
  members?: string[];
}

export class EntryPageDocument {
  @ApiProperty({ type: [EntryDocument] })
  entries!: EntryDocument[];

  @ApiPropertyOptional({
    example: '0-17',
    description: 'For the next page; absent on the last. A page with a cursor may be short or empty: go on.',
  })
  cursor?: string;

  @ApiProperty({ example: 100, description: 'How many entries were looked at.' })
  scanned!: number;

  @ApiProperty({ example: 'page', enum: ['page'], description: 'Each page is sorted by itself.' })
  sortedWithin!: string;
}

export class InvalidatedDocument {
  @ApiProperty({ example: 1, description: 'How many entries went, or became stale.' })
  invalidated!: number;
}

export class EntryDetailsDocument extends EntryDocument {
  @ApiProperty({
    type: 'array',
    items: { type: 'array', items: { type: 'string' } },
    example: [['content-type', 'application/json; charset=utf-8']],
    description: 'The header fields that are stored, names and values.',
  })
  headers!: string[][];

  @ApiPropertyOptional({ type: [EntryDocument], description: 'For a resource: its stored responses.' })
  variants?: EntryDocument[];

  @ApiProperty({
    example: `${EXAMPLE_UPSTREAM} answered 200, and a rule of this service keeps it fresh for 3600 s; then it is validated.`,
  })
  why!: string;

  @ApiProperty({ example: '2026-11-24T13:00:00.000Z', description: 'When the store forgets it.' })
  endsAt!: string;

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
  body?: object;
}

export class EntryCountDocument {
  @ApiProperty({ example: 3 })
  count!: number;

  @ApiProperty({ example: true, description: 'False: there are at least so many, and no more were looked at.' })
  isExact!: boolean;
}

export class AuditEntryDocument {
  @ApiProperty({ example: '2026-11-23T12:00:00.000Z' })
  at!: string;

  @ApiProperty({ example: 'host-1:4711' })
  replica!: string;

  @ApiProperty({ example: 'invalidate', enum: ['invalidate'] })
  action!: string;

  @ApiProperty({ example: 'tag account:redis' })
  target!: string;

  @ApiProperty({ example: 'purge', enum: ['purge', 'stale'] })
  mode!: string;

  @ApiProperty({ example: 3 })
  count!: number;

  @ApiProperty({ example: 'done', enum: ['done', 'failed'] })
  outcome!: string;

  @ApiProperty({ example: '203.0.113.7', description: 'The address that the request came from.' })
  by!: string;

  @ApiPropertyOptional({ example: 'deploy', description: 'The name of the admin token: `admin` for `ADMIN_TOKEN`.' })
  token?: string;

  @ApiProperty({ example: 'trace-1' })
  requestId!: string;
}

export class AuditDocument {
  @ApiProperty({ type: [AuditEntryDocument] })
  items!: AuditEntryDocument[];
}
