import { ApiProperty } from '../server/api-decorators';
import { EXAMPLE_UPSTREAM } from '../server/api-docs';

/** The limits of one credential. */
interface CredentialLimits {
  readonly credential: string;
  readonly resources: Readonly<Record<string, object>>;
  readonly pausedFor: number;
}

/** An upstream's rate limits for operators. */
export class BudgetDocument {
  @ApiProperty({ example: EXAMPLE_UPSTREAM })
  readonly upstream!: string;

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
    description: "By credential: a partition's id, `-` for callers without one. As last announced to any replica.",
    example: [
      {
        credential: '-',
        resources: { core: { limit: 60, remaining: 12, used: 48, resetAt: '2026-11-23T14:00:00.000Z', resetIn: 540 } },
        pausedFor: 0,
      },
    ],
  })
  readonly credentials!: readonly CredentialLimits[];

  @ApiProperty({
    type: 'object',
    additionalProperties: { type: 'integer' },
    description:
      'Counts of the answering process since its start; `/metrics` has the totals. `notModified`: 304 with a credential, which do not count against the limit.',
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
  readonly requests!: Readonly<Record<string, number>>;
}
