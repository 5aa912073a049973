import { ApiProperty } from '../server/api-decorators';

/** The shape of the answer, for OpenAPI only. */
export class RepositoryCountDocument {
  @ApiProperty({ example: 'redis', description: 'The account, in the case that GitHub writes it.' })
  username!: string;

  @ApiProperty({ example: 155, description: '`public_repos` of the account.' })
  repos!: number;

  @ApiProperty({ example: true, description: 'Whether the cache answered without asking GitHub.' })
  cached!: boolean;
}
