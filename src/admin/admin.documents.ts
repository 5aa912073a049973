import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';

/** The shapes of the admin API, for OpenAPI only. */
export class EntryDocument {
  @ApiProperty({ example: 'github:-:/users/redis' })
  key!: string;

  @ApiProperty({
    example: 'index',
    enum: ['entry', 'index', 'variant', 'part'],
    description:
      'An entry by itself; a resource’s index, or what is found through one: a response, or what a route made of it. ' +
      'Variants and parts that no index leads to any more are listed until the store forgets them.',
  })
  kind!: string;

  @ApiProperty({ example: 'github' })
  upstream!: string;

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

  @ApiProperty({ example: ['upstream:github', 'account:redis'], type: [String] })
  tags!: string[];

  @ApiProperty({ example: 'W/"2jmj7l5rSw0yVb_vlWAYkK_YBwk"' })
  etag!: string;

  @ApiProperty({ example: '2026-11-23T12:00:00.000Z' })
  storedAt!: string;

  @ApiPropertyOptional({
    type: [String],
    example: ['github:-:/users/redis|4Gz0lNQx|repos'],
    description: 'Of a resource: the keys of what is stored of it. The rest is told of the first of them.',
  })
  leadsTo?: string[];
}

export class EntryPageDocument {
  @ApiProperty({ type: [EntryDocument] })
  entries!: EntryDocument[];

  @ApiPropertyOptional({ example: '0-17', description: 'For the next page; absent on the last.' })
  cursor?: string;
}

export class InvalidatedDocument {
  @ApiProperty({ example: 1, description: 'How many entries went, or became stale.' })
  invalidated!: number;
}

export class BudgetDocument {
  @ApiProperty({ example: 'github' })
  upstream!: string;

  @ApiProperty({
    type: 'array',
    items: {
      type: 'object',
      properties: {
        credential: { type: 'string' },
        resources: { type: 'object', additionalProperties: { type: 'object' } },
        pausedFor: { type: 'integer', description: 'Seconds for which nothing is sent, after a secondary limit.' },
      },
    },
    description: "By credential: a partition's id, `-` for callers without one. As any replica last heard it.",
    example: [
      {
        credential: '-',
        resources: { core: { limit: 60, remaining: 12, used: 48, resetAt: '2026-11-23T14:00:00.000Z', resetIn: 540 } },
        pausedFor: 0,
      },
    ],
  })
  credentials!: object[];

  @ApiProperty({
    type: 'object',
    additionalProperties: { type: 'integer' },
    description:
      'Of the process that answers, since its start; `/metrics` has the totals. `notModified`: 304 with a credential, which do not count against the limit.',
    example: {
      ...{
        sent: 48,
        notModified: 30,
        heldBack: 0,
        savedByStore: 90_210,
        savedByCollapsing: 412,
        underWay: 1,
        waiting: 0,
      },
    },
  })
  requests!: object;
}
