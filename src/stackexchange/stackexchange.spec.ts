import { describeUpstream } from '../../testing';
import { stackExchange } from './stackexchange.definition';
import { StackExchangeModule } from './stackexchange.module';

describeUpstream(stackExchange, StackExchangeModule, { path: '/questions/7?site=stackoverflow' });
