import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';

/** The shapes of the admin API, for OpenAPI only. */
export class EntryDocument {
  @ApiProperty({ example: 'github:-:/users/redis' })
  key!: string;

  @ApiProperty({ example: 'github' })
  upstream!: string;

  @ApiProperty({ example: 200 })
  status!: number;

  @ApiProperty({ example: 31, description: 'Bytes of the body.' })
  size!: number;

  @ApiProperty({ example: 12, description: 'Seconds since it was loaded or validated.' })
  age!: number;

  @ApiProperty({ example: 3588, description: 'Seconds of freshness left; negative once stale.' })
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

const names = (example: string[]) => ({ type: 'array', items: { type: 'string' }, example });

export const invalidationBodyDocument = {
  type: 'object',
  properties: {
    keys: names(['github:-:/users/redis']),
    tags: names(['repo:redis/redis']),
    accounts: names(['nodejs']),
    prefixes: names(['github:-:/users/micro']),
    mode: {
      type: 'string',
      enum: ['purge', 'stale'],
      default: 'purge',
      description: '`purge`: gone. `stale`: kept for the case that the API fails, and validated before any other use.',
    },
  },
};

export class BudgetDocument {
  @ApiProperty({ example: 'github' })
  upstream!: string;

  @ApiProperty({
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
