import { ApiProperty, ApiPropertyOptional } from '../server/api-decorators';
import { EXAMPLE_UPSTREAM } from '../server/api-docs';
import type { BreakerFigure, BudgetFigure, ProcessSample } from './process-sample';

const counts = (description: string, example: object) => ({
  type: 'object' as const,
  additionalProperties: { type: 'integer' as const },
  description,
  example,
});

export interface ReplicaFigures {
  readonly id: string;
  /** The pid of the serving process, or of the one that started the workers. */
  readonly pid: number;
  readonly workers: number;
  readonly startedAt: number;
  readonly version: string;
  /** In the second. */
  readonly requests: number;
  readonly hits: number;
  readonly l1Bytes: number;
  readonly l1Entries: number;
  readonly isUp: boolean;
  readonly seenAt: number;
}

/** One second of all replicas together. */
export class FiguresDocument {
  @ApiProperty({ example: 1_700_000_000_000, description: 'The second, in ms since the epoch.' })
  readonly at!: number;

  @ApiProperty(counts('Requests by outcome; an outcome that did not occur is left out.', { HIT: 12, MISS: 1 }))
  readonly requests!: Readonly<Record<string, number>>;

  @ApiProperty({
    type: 'object',
    additionalProperties: { type: 'object' },
    description: 'Time in the service by outcome, in ms: median and 99th percentile, within 10 %.',
    example: { HIT: { p50: 0.2, p99: 1.1 } },
  })
  readonly latencyMs!: Readonly<Record<string, { readonly p50: number; readonly p99: number }>>;

  @ApiProperty(
    counts('Requests to upstreams, and requests answered without one.', { calls: 1, notModified: 0, saved: 12 }),
  )
  readonly upstream!: ProcessSample['upstream'];

  @ApiProperty(counts('What memory holds, of all processes.', { entries: 10, bytes: 12_345, maxBytes: 67_108_864 }))
  readonly l1!: ProcessSample['l1'];

  @ApiProperty({
    type: 'object',
    properties: {
      kind: { type: 'string', enum: ['memory', 'redis'] },
      isUp: { type: 'boolean', description: 'For all processes.' },
      problem: { type: 'string', nullable: true },
      usedBytes: { type: 'integer', nullable: true, description: 'The memory of Redis, at most 5 s old.' },
      entries: { type: 'integer', nullable: true, description: 'The keys of Redis, all of them, at most 5 s old.' },
    },
    example: { kind: 'redis', isUp: true, problem: null, usedBytes: 2_097_152, entries: 420 },
  })
  readonly store!: ProcessSample['store'];

  @ApiProperty({
    type: 'array',
    items: { type: 'object' },
    description: 'The remaining rate limits; `resetAt` in ms since the epoch.',
    example: [
      {
        ...{ upstream: EXAMPLE_UPSTREAM, credential: '-', resource: 'core', limit: 60, remaining: 12 },
        resetAt: 1_700_000_540_000,
      },
    ],
  })
  readonly budgets!: readonly BudgetFigure[];

  @ApiProperty({
    type: 'array',
    items: {
      type: 'object',
      properties: { upstream: { type: 'string' }, state: { type: 'string', enum: ['closed', 'half-open', 'open'] } },
    },
    example: [{ upstream: EXAMPLE_UPSTREAM, state: 'closed' }],
  })
  readonly breakers!: readonly BreakerFigure[];

  @ApiProperty({
    ...counts('How long responses in memory would still be served if upstreams stopped now, in ms.', {
      ...{ p50: 86_400_000, least: 1_000 },
    }),
    nullable: true,
  })
  readonly runwayMs!: ProcessSample['runwayMs'];

  @ApiProperty({
    type: 'array',
    items: { type: 'object' },
    description: '`requests` and `hits` of the second; `isUp`: reported within 5 s.',
    example: [
      {
        ...{ id: 'host-1:4711', pid: 4711, workers: 2, startedAt: 1_700_000_000_000, version: '0.1.0' },
        ...{ requests: 13, hits: 12, l1Bytes: 12_345, l1Entries: 10, isUp: true, seenAt: 1_700_000_000_050 },
      },
    ],
  })
  readonly replicas!: readonly ReplicaFigures[];
}

/** The data of each event, by the event's name, for OpenAPI only: it is sent as text. */
export class EventsDocument {
  @ApiPropertyOptional({ type: 'object', properties: { samples: { type: 'array', items: { type: 'object' } } } })
  history?: object;

  @ApiProperty({ type: FiguresDocument })
  figures!: FiguresDocument;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: true,
    description: 'For admins.',
    example: {
      ...{ at: 1_700_000_000_000, replica: 'host-1:4711', outcome: 'HIT', tier: 'l1', upstream: EXAMPLE_UPSTREAM },
      ...{ key: `${EXAMPLE_UPSTREAM}:-:/users/redis`, status: 200, durationMs: 0.21, requestId: 'trace-1', oneIn: 1 },
    },
  })
  outcome?: object;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: true,
    description: 'For admins. `by`: `admin`, `webhook`, `write`, `channel` or `code`.',
    example: {
      ...{ at: 1_700_000_000_000, replica: 'host-1:4711', by: 'admin', what: [{ kind: 'tag', name: 'account:redis' }] },
      ...{ mode: 'purge', count: 3, oneIn: 1 },
    },
  })
  invalidation?: object;

  @ApiPropertyOptional({
    type: 'object',
    properties: { reason: { type: 'string', enum: ['slow-reader', 'shutdown'] } },
  })
  end?: object;
}

export const EVENTS_EXAMPLE = [
  ...['retry: 1000', '', 'event: history', 'data: {"samples":[]}', ''],
  ...['event: figures', 'id: 1700000000', 'data: {"at":1700000000000,"requests":{"HIT":12,"MISS":1}, …}', ''],
].join('\n');
