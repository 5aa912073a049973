import { ApiProperty } from '../server/api-decorators';
import { EXAMPLE_UPSTREAM } from '../server/api-docs';

/** The shape of `GET /page.json`. */
export class PageFactsDocument {
  @ApiProperty({ example: '0.1.0' })
  version!: string;

  @ApiProperty({ example: `/${EXAMPLE_UPSTREAM}` })
  gatewayPrefix!: string;

  @ApiProperty({ type: String, nullable: true, example: '/docs' })
  swagger!: string | null;

  @ApiProperty({ type: String, nullable: true, example: '/docs-json' })
  openapi!: string | null;

  @ApiProperty({ example: '/metrics' })
  metrics!: string;

  @ApiProperty({ example: true, description: 'Whether there is an admin API.' })
  admin!: boolean;

  @ApiProperty({ example: true, description: 'Whether entries are shared through Redis.' })
  redis!: boolean;

  @ApiProperty({ example: 3600 })
  ttlSeconds!: number;

  @ApiProperty({ example: 900, description: 'How far back the figures of `/events` reach, in seconds.' })
  maxAgeOfFigures!: number;

  @ApiProperty({
    type: 'array',
    items: {
      type: 'object',
      properties: { path: { type: 'string' }, summary: { type: 'string' } },
    },
    example: [{ path: '/users/{username}', summary: 'A user or organization' }],
    description: 'Paths of the gateway that are worth a try, without its prefix.',
  })
  paths!: readonly { readonly path: string; readonly summary: string }[];

  @ApiProperty({
    type: 'object',
    nullable: true,
    additionalProperties: { type: 'string' },
    example: null,
    description: 'Routes of the demo, by what they do; null elsewhere.',
  })
  demo!: Readonly<Record<string, string>> | null;
}
