import { Module } from '@nestjs/common';
import { UpstreamModule } from '../upstream';
import { StackExchangeController } from './stackexchange.controller';
import { stackExchange } from './stackexchange.definition';

/** Stack Exchange's API, and the question counts that are derived from it. */
@Module({ imports: [UpstreamModule.register(stackExchange, { controllers: [StackExchangeController] })] })
export class StackExchangeModule {}
