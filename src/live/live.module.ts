import { Module } from '@nestjs/common';
import { AdminModule } from '../admin/admin.module';
import { EventClients } from './event-clients';
import { EventsController } from './events.controller';
import { LiveBus } from './live-bus';
import { LiveEvents } from './live-events';
import { LiveFigures } from './live-figures';
import { LiveGuard } from './live.guard';
import { ProcessSampler } from './process-sampler';

/** Live figures at `GET /events`. The cache knows nothing of them. */
@Module({
  imports: [AdminModule],
  controllers: [EventsController],
  providers: [EventClients, LiveFigures, LiveBus, LiveEvents, ProcessSampler, LiveGuard],
})
export class LiveModule {}
